package wsframe

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/stretchr/testify/require"
)

// record is an Inspector that writes down what it sees and refuses what contains "SECRET".
type record struct {
	messages []string // "text:Hello", controls too
	running  []byte
	op       Opcode
}

var errSecret = errors.New("message contains a secret")

func (r *record) Start(op Opcode) { r.running, r.op = r.running[:0], op }

func (r *record) Write(p []byte) (int64, error) {
	from := max(0, len(r.running)-len("SECRET"))
	r.running = append(r.running, p...)
	if at := bytes.Index(r.running[from:], []byte("SECRET")); at >= 0 {
		return int64(from + at), errSecret
	}
	clean := len(r.running)
	for n := range 6 {
		if bytes.HasSuffix(r.running, []byte("SECRET")[:n]) {
			clean = len(r.running) - n
		}
	}
	return int64(clean), nil
}

func (r *record) Finish() error {
	r.messages = append(r.messages, r.op.String()+":"+string(r.running))
	return nil
}

func (r *record) Control(op Opcode, payload []byte) error {
	if bytes.Contains(payload, []byte("SECRET")) {
		return errSecret
	}
	r.messages = append(r.messages, op.String()+":"+string(payload))
	return nil
}

type limits struct {
	deflate                                           Deflate
	hold, maxCompressed, maxInflated, maxInflateRatio int64
}

// run has a judge read data, in pieces sized by next, and returns what it saw and what it let through.
func run(data []byte, l limits, next func() int) (seen []string, out []byte, err error) {
	var rec record
	c := Guard(nil, Options{Inspector: &rec, Deflate: l.deflate, Hold: l.hold, MaxCompressed: l.maxCompressed,
		MaxInflated: l.maxInflated, MaxRatio: l.maxInflateRatio})
	j := &c.judge
	j.release = func(p []byte) error { out = append(out, p...); return nil }
	for len(data) > 0 && err == nil {
		n := min(max(1, next()), len(data))
		err = j.write(data[:n])
		data = data[n:]
	}
	return rec.messages, out, err
}

func atOnce() int { return 1 << 30 }
func byteWise() int {
	return 1
}

var deflate = limits{deflate: Deflate{Enabled: true}}

func TestMessagesAreSeenAndPassUnchanged(t *testing.T) {
	c, alone := newCompressor(true), newCompressor(false)
	long := strings.Repeat("a long message. ", 5000)
	rfc := unhex("f2 48 cd c9 c9 07 00")
	for name, x := range map[string]struct {
		frames []frame
		limits limits
		want   []string
	}{
		"text":      {[]frame{{op: Text, payload: "Hello"}}, limits{}, []string{"text:Hello"}},
		"binary":    {[]frame{{op: Binary, payload: "\x00\xff"}}, limits{}, []string{"binary:\x00\xff"}},
		"empty":     {[]frame{{op: Text}, {op: Text}}, limits{}, []string{"text:", "text:"}},
		"fragments": {[]frame{{op: Text, more: true, payload: "He"}, {op: Continuation, more: true}, {op: Continuation, payload: "llo"}}, limits{}, []string{"text:Hello"}},
		"several":   {[]frame{{op: Text, payload: "a"}, {op: Binary, payload: "b"}, {op: Text, payload: "c"}}, limits{}, []string{"text:a", "binary:b", "text:c"}},
		"control":   {[]frame{{op: Ping, payload: "p"}, {op: Pong}, {op: Close, payload: "\x03\xe8bye"}}, limits{}, []string{"ping:p", "pong:", "close:\x03\xe8bye"}},
		"long":      {[]frame{{op: Text, payload: long}}, limits{}, []string{"text:" + long}},
		"over hold": {[]frame{{op: Text, more: true, payload: long}, {op: Continuation, payload: "end"}}, limits{hold: 1000}, []string{"text:" + long + "end"}},
		"one byte fragments, over hold": {
			append(append([]frame{{op: Text, more: true}}, split(long[:3000], 1)...), frame{op: Continuation}), limits{hold: 100},
			[]string{"text:" + long[:3000]}},
		"RFC 7692 §7.2.3.1": {[]frame{{op: Text, rsv: rsv1Bit, payload: rfc}}, deflate, []string{"text:Hello"}},
		"RFC 7692, fragments": {[]frame{{op: Text, rsv: rsv1Bit, more: true, payload: rfc[:3]}, {op: Ping}, {op: Continuation, payload: rfc[3:]}}, deflate,
			[]string{"ping:", "text:Hello"}},
		"RFC 7692 §7.2.3.2, takeover": {[]frame{{op: Text, rsv: rsv1Bit, payload: rfc}, {op: Text, rsv: rsv1Bit, payload: unhex("f2 00 11 00 00")}}, deflate,
			[]string{"text:Hello", "text:Hello"}},
		"RFC 7692 §7.2.3.3, stored": {[]frame{{op: Text, rsv: rsv1Bit, payload: unhex("00 05 00 fa ff 48 65 6c 6c 6f 00")}}, deflate, []string{"text:Hello"}},
		"RFC 7692 §7.2.3.4, final":  {[]frame{{op: Text, rsv: rsv1Bit, payload: unhex("f3 48 cd c9 c9 07 00 00")}}, deflate, []string{"text:Hello"}},
		"final without padding":     {[]frame{{op: Text, rsv: rsv1Bit, payload: unhex("f3 48 cd c9 c9 07 00")}}, deflate, []string{"text:Hello"}},
		"final, then an empty fragment": {[]frame{{op: Text, rsv: rsv1Bit, more: true, payload: unhex("f3 48 cd c9 c9 07 00")}, {op: Continuation}}, deflate,
			[]string{"text:Hello"}},
		"RFC 7692 §7.2.3.5, two blocks": {[]frame{{op: Text, rsv: rsv1Bit, payload: unhex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00")}}, deflate, []string{"text:Hello"}},
		"empty compressed":              {[]frame{{op: Text, rsv: rsv1Bit, payload: "\x00"}, {op: Text, rsv: rsv1Bit, payload: "\x00"}}, deflate, []string{"text:", "text:"}},
		"not compressed though negotiated": {[]frame{{op: Text, payload: "plain"}, {op: Text, rsv: rsv1Bit, payload: rfc}, {op: Text, payload: "plain"}}, deflate,
			[]string{"text:plain", "text:Hello", "text:plain"}},
		"takeover": {[]frame{{op: Text, rsv: rsv1Bit, payload: c.message(long)}, {op: Text, rsv: rsv1Bit, payload: c.message(long)}, {op: Text, rsv: rsv1Bit, payload: c.message("short")}}, deflate,
			[]string{"text:" + long, "text:" + long, "text:short"}},
		"no takeover": {[]frame{{op: Text, rsv: rsv1Bit, payload: alone.message(long)}, {op: Text, rsv: rsv1Bit, payload: alone.message(long)}},
			limits{deflate: Deflate{Enabled: true, ClientNoContextTakeover: true}}, []string{"text:" + long, "text:" + long}},
	} {
		data := wire(x.frames...)
		rng := rand.New(rand.NewPCG(1, 1))
		for _, next := range []func() int{atOnce, byteWise, func() int { return rng.IntN(50) }} {
			seen, out, err := run(data, x.limits, next)
			require.NoError(t, err, name)
			require.Equal(t, x.want, seen, name)
			if name != "RFC 7692, fragments" { // a ping overtakes the message around it
				require.True(t, bytes.Equal(data, out), name)
			}
		}
	}
}

// split makes continuation frames, none the last.
func split(s string, n int) []frame {
	var frames []frame
	for ; len(s) > 0; s = s[min(n, len(s)):] {
		frames = append(frames, frame{op: Continuation, more: true, payload: s[:min(n, len(s))]})
	}
	return frames
}

func TestNothingLeavesBeforeTheMessageIsJudged(t *testing.T) {
	data := wire(frame{op: Text, more: true, payload: "one "}, frame{op: Continuation, payload: "two"})
	for n := range len(data) {
		_, out, err := run(data[:n], limits{}, atOnce)
		require.NoError(t, err)
		require.Empty(t, out)
	}
}

func TestControlFramesOvertakeAHeldMessage(t *testing.T) {
	first, ping, last := wire(frame{op: Text, more: true, payload: "one "}), wire(frame{op: Ping, payload: "p"}), wire(frame{op: Continuation, payload: "two"})
	_, out, err := run(bytes.Join([][]byte{first, ping}, nil), limits{}, atOnce)
	require.NoError(t, err)
	require.Equal(t, ping, out)
	_, out, err = run(bytes.Join([][]byte{first, ping, last}, nil), limits{}, atOnce)
	require.NoError(t, err)
	require.Equal(t, bytes.Join([][]byte{ping, first, last}, nil), out)
}

func TestControlFramesWaitForAFrameThatIsPartlyOut(t *testing.T) {
	// The inspector cannot call "SEC" clean; the rest of that frame is out already.
	data := wire(frame{op: Text, more: true, payload: strings.Repeat("x", 5000) + "SEC"}, frame{op: Ping, payload: "p"}, frame{op: Continuation, payload: "tion"})
	seen, out, err := run(data, limits{hold: 100}, atOnce)
	require.NoError(t, err)
	require.Equal(t, "ping:p", seen[0])
	require.True(t, bytes.Equal(data, out), "in the order in which they were sent")
}

func TestLongMessagesFlow(t *testing.T) {
	data := wire(frame{op: Text, payload: strings.Repeat("x", 1<<20)})
	_, out, err := run(data[:len(data)/2], limits{hold: 10_000}, func() int { return 1000 })
	require.NoError(t, err)
	require.Greater(t, len(out), len(data)/2-11_000-4096)
	require.True(t, bytes.HasPrefix(data, out))
}

func TestASecretNeverLeaves(t *testing.T) {
	c := newCompressor(true)
	filler := strings.Repeat("harmless ", 3000)
	for name, x := range map[string]struct {
		frames []frame
		limits limits
		before string // may leave
	}{
		"text":       {[]frame{{op: Text, payload: "a SECRET b"}}, limits{}, ""},
		"first byte": {[]frame{{op: Text, payload: "SECRET"}}, limits{}, ""},
		"fragments":  {append(append([]frame{{op: Text, more: true}}, split("a SECRET b", 1)...), frame{op: Continuation}), limits{}, ""},
		"after harmless messages": {[]frame{{op: Text, payload: "fine"}, {op: Binary, payload: filler}, {op: Text, payload: "SECRET"}}, limits{},
			string(wire(frame{op: Text, payload: "fine"}, frame{op: Binary, payload: filler}))},
		"compressed":            {[]frame{{op: Text, rsv: rsv1Bit, payload: c.message(filler + "SECRET")}}, deflate, ""},
		"at the end, under cap": {[]frame{{op: Text, payload: filler + "SECRET"}}, limits{}, ""},
		"ping":                  {[]frame{{op: Ping, payload: "SECRET"}}, limits{}, ""},
		"pong amid a message":   {[]frame{{op: Text, more: true, payload: "a"}, {op: Pong, payload: "a SECRET"}}, limits{}, ""},
		"close":                 {[]frame{{op: Close, payload: "\x03\xe8SECRET"}}, limits{}, ""},
	} {
		data := wire(x.frames...)
		for _, next := range []func() int{atOnce, byteWise, func() int { return 3 }} {
			_, out, err := run(data, x.limits, next)
			require.ErrorIs(t, err, errSecret, name)
			require.Equal(t, x.before, string(out), name)
		}
	}
}

func TestOfALongMessageOnlyTheCleanPartLeaves(t *testing.T) {
	filler := strings.Repeat("harmless SECRE ", 3000)
	for _, frames := range [][]frame{
		{{op: Text, payload: filler + "SECRET"}},
		append(append([]frame{{op: Text, more: true}}, split(filler+"SECRET", 7)...), frame{op: Continuation}),
	} {
		data := wire(frames...)
		for _, next := range []func() int{atOnce, byteWise, func() int { return 999 }} {
			_, out, err := run(data, limits{hold: 500}, next)
			require.ErrorIs(t, err, errSecret)
			require.True(t, bytes.HasPrefix(data, out))
			if next() < len(data) {
				require.Greater(t, len(out), len(data)/2)
			}
			// Unmask what left.
			var plain []byte
			for rest := out; len(rest) > 0; {
				h, size := parseHeader(rest)
				n := min(int(h.length), len(rest)-size)
				body := make([]byte, n)
				mask(body, rest[size:size+n], h.key, 0)
				plain, rest = append(plain, body...), rest[size+n:]
			}
			require.True(t, strings.HasPrefix(filler, string(plain)), "a byte of the secret left")
		}
	}
}

func TestViolations(t *testing.T) {
	bad := func(frames ...frame) []byte { return wire(frames...) }
	zeros := newCompressor(false).message(strings.Repeat("\x00", 4<<20))
	finals := strings.Repeat("\x03\x00", 20)
	for name, x := range map[string]struct {
		data   []byte
		limits limits
		code   uint16
		reason string
	}{
		"unmasked":                {bad(frame{op: Text, unmasked: true, payload: "x"}), limits{}, 1002, "text frame is not masked"},
		"unmasked control":        {bad(frame{op: Ping, unmasked: true}), limits{}, 1002, "ping frame is not masked"},
		"rsv1 without extension":  {bad(frame{op: Text, rsv: 0x40}), limits{}, 1002, "marked as compressed"},
		"rsv2":                    {bad(frame{op: Text, rsv: 0x20}), deflate, 1002, "reserved bits"},
		"rsv3":                    {bad(frame{op: Text, rsv: 0x10}), deflate, 1002, "reserved bits"},
		"rsv1 on a continuation":  {bad(frame{op: Text, more: true}, frame{op: Continuation, rsv: 0x40}), deflate, 1002, "marked as compressed"},
		"rsv1 on a ping":          {bad(frame{op: Ping, rsv: 0x40}), deflate, 1002, "marked as compressed"},
		"opcode 3":                {bad(frame{op: 3}), limits{}, 1002, "opcode 3"},
		"opcode 11":               {bad(frame{op: 11}), limits{}, 1002, "opcode 11"},
		"fragmented ping":         {bad(frame{op: Ping, more: true}), limits{}, 1002, "ping frame is fragmented"},
		"long ping":               {bad(frame{op: Ping, payload: strings.Repeat("x", 126)}), limits{}, 1002, "ping frame is too long"},
		"long close":              {bad(frame{op: Close, payload: strings.Repeat("x", 126)}), limits{}, 1002, "close frame is too long"},
		"close with one byte":     {bad(frame{op: Close, payload: "x"}), limits{}, 1002, "half a code"},
		"continuation first":      {bad(frame{op: Continuation, payload: "x"}), limits{}, 1002, "without a message"},
		"continuation after end":  {bad(frame{op: Text}, frame{op: Continuation}), limits{}, 1002, "without a message"},
		"text amid a message":     {bad(frame{op: Text, more: true}, frame{op: Text}), limits{}, 1002, "amid a message"},
		"data after close":        {bad(frame{op: Close}, frame{op: Text}), limits{}, 1002, "after a close frame"},
		"length 16 not minimal":   {bad(frame{op: Text, form: 126, payload: "x"}), limits{}, 1002, "invalid length"},
		"length 64 not minimal":   {bad(frame{op: Text, form: 127, payload: strings.Repeat("x", 65535)}), limits{}, 1002, "invalid length"},
		"length 64 too large":     {[]byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"), limits{}, 1002, "invalid length"},
		"largest compressed":      {[]byte("\xc1\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"), deflate, 1009, "longer than 16777216"},
		"not deflate":             {bad(frame{op: Text, rsv: 0x40, payload: "\xff\xff\xff\xff"}), deflate, 1007, "cannot be inflated"},
		"refers before the start": {bad(frame{op: Text, rsv: 0x40, payload: unhex("f2 00 11 00 00")}), deflate, 1007, "cannot be inflated"},
		"takeover not negotiated": {bad(frame{op: Text, rsv: 0x40, payload: unhex("f2 48 cd c9 c9 07 00")}, frame{op: Text, rsv: 0x40, payload: unhex("f2 00 11 00 00")}), limits{deflate: Deflate{Enabled: true, ClientNoContextTakeover: true}}, 1007, "cannot be inflated"},
		"bytes after a final":     {bad(frame{op: Text, rsv: 0x40, payload: unhex("f3 48 cd c9 c9 07 00") + "not deflate"}), deflate, 1007, "cannot be inflated"},
		"empty is not deflate":    {bad(frame{op: Text, rsv: 0x40}), deflate, 1007, "cannot be inflated"},
		"too many finals":         {bad(frame{op: Text, rsv: 0x40, payload: finals}), deflate, 1007, "ends too often"},
		"bomb by ratio":           {bad(frame{op: Text, rsv: 0x40, payload: zeros}), deflate, 1009, "200 times"},
		"bomb by size":            {bad(frame{op: Text, rsv: 0x40, payload: zeros}), limits{deflate: Deflate{Enabled: true}, maxInflated: 1 << 20}, 1009, "more than 1048576"},
		"compressed too long":     {bad(frame{op: Text, rsv: 0x40, more: true, payload: noise(1, 600)}, frame{op: Continuation, payload: noise(2, 600)}), limits{deflate: Deflate{Enabled: true}, maxCompressed: 1000}, 1009, "longer than 1000"},
		"empty fragments pile up": {bad(append([]frame{{op: Text, more: true, payload: "SEC"}}, make20k()...)...), limits{hold: 1000}, 1009, "judged in parts"},
		"close amid a long frame": {bad(frame{op: Text, more: true, payload: strings.Repeat("x", 2000) + "SEC"}, frame{op: Close}), limits{hold: 100}, 1002, "amid a message"},
		"compressed empties pile": {bad(append([]frame{{op: Text, rsv: 0x40, more: true}}, make20k()...)...), limits{deflate: Deflate{Enabled: true}, maxCompressed: 10_000}, 1009, "longer than 10000"},
	} {
		for _, next := range []func() int{atOnce, byteWise} {
			_, out, err := run(x.data, x.limits, next)
			var v *ViolationError
			require.ErrorAs(t, err, &v, name)
			require.Equal(t, x.code, v.Code, "%s: %v", name, err)
			require.Contains(t, v.Reason, x.reason, name)
			require.Less(t, len(out), 2100, name)
		}
	}
}

func make20k() []frame {
	frames := make([]frame, 20_000)
	for i := range frames {
		frames[i] = frame{op: Continuation, more: true}
	}
	return frames
}

func TestCloseDropsAnUnfinishedMessage(t *testing.T) {
	bye := wire(frame{op: Close, payload: "\x03\xe8"})
	seen, out, err := run(append(wire(frame{op: Text, more: true, payload: "half"}), bye...), limits{}, atOnce)
	require.NoError(t, err)
	require.Equal(t, []string{"close:\x03\xe8"}, seen)
	require.Equal(t, bye, out)
}

func TestLargeBuffersAreNotKept(t *testing.T) {
	c := Guard(nil, Options{Inspector: &record{}})
	c.judge.release = func([]byte) error { return nil }
	require.NoError(t, c.judge.write(wire(frame{op: Text, payload: noise(1, 900_000)})))
	require.LessOrEqual(t, cap(c.judge.held), keptBuffer)
}

func TestWindowSpansMessages(t *testing.T) {
	// A message of random bytes, then the same: only a full 32 KiB window can hold it.
	body := noise(8, 31_000)
	c := newCompressor(true)
	frames := []frame{{op: Binary, rsv: rsv1Bit, payload: c.message(body)}, {op: Binary, rsv: rsv1Bit, payload: c.message(body)}}
	require.Less(t, len(frames[1].payload), 1000, "the second refers to the first")
	seen, _, err := run(wire(frames...), deflate, atOnce)
	require.NoError(t, err)
	require.Equal(t, []string{"binary:" + body, "binary:" + body}, seen)
}

// reference reads data as one piece, without any of the judge's state, for frames that obey the protocol.
func reference(t *testing.T, data []byte) (seen []string) {
	var window []byte
	var message []byte
	var op Opcode
	var compressed bool
	for {
		h, size := parseHeader(data)
		if size == 0 || int64(len(data)-size) < h.length {
			return seen
		}
		body := make([]byte, h.length)
		mask(body, data[size:size+int(h.length)], h.key, 0)
		data = data[size+int(h.length):]
		switch {
		case h.op.isControl():
			seen = append(seen, h.op.String()+":"+string(body))
			continue
		case h.op != Continuation:
			op, compressed, message = h.op, h.rsv != 0, nil
		}
		if message = append(message, body...); !h.fin {
			continue
		}
		if compressed {
			r := flate.NewReaderDict(strings.NewReader(string(message)+"\x00\x00\xff\xff"), window)
			var out bytes.Buffer
			_, err := out.ReadFrom(r)
			require.ErrorContains(t, err, "unexpected EOF")
			message = out.Bytes()
			window = append(window, message...)
			window = window[max(0, len(window)-32<<10):]
		}
		seen = append(seen, op.String()+":"+string(message))
	}
}

func TestJudgeAgreesWithASimpleReader(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 5))
		c := newCompressor(true)
		var frames []frame
		for range 1 + rng.IntN(8) {
			body, rsv := strings.Repeat(noise(seed, 1+rng.IntN(50)), rng.IntN(200)), byte(0)
			if rng.IntN(2) == 0 {
				body, rsv = c.message(body), rsv1Bit
			}
			pieces := split(body, 1+rng.IntN(1000))
			if len(pieces) == 0 {
				pieces = []frame{{}}
			}
			pieces[0].op, pieces[0].rsv = Text, rsv
			pieces[len(pieces)-1].more = false
			for _, f := range pieces {
				frames = append(frames, f)
				if rng.IntN(4) == 0 {
					frames = append(frames, frame{op: Ping, payload: noise(seed, rng.IntN(20))})
				}
			}
		}
		data := wire(frames...)
		want := reference(t, data)
		seen, out, err := run(data, limits{deflate: Deflate{Enabled: true}, hold: 2000, maxInflateRatio: 1 << 30}, func() int { return rng.IntN(300) })
		require.NoError(t, err)
		require.Equal(t, want, seen, "seed %d", seed)
		require.Equal(t, len(data), len(out))
	}
}

func FuzzJudge(f *testing.F) {
	c := newCompressor(true)
	f.Add(wire(frame{op: Text, payload: "Hello"}), uint64(1))
	f.Add(wire(frame{op: Text, more: true, payload: "SEC"}, frame{op: Ping, payload: "p"}, frame{op: Continuation, payload: "RET"}), uint64(2))
	f.Add(wire(frame{op: Text, rsv: rsv1Bit, payload: c.message("Hello")}, frame{op: Text, rsv: rsv1Bit, payload: c.message("Hello")}), uint64(3))
	f.Add(wire(frame{op: Binary, payload: noise(1, 70_000)}, frame{op: Close, payload: "\x03\xe8"}), uint64(4))
	f.Add(wire(frame{op: Text, rsv: rsv1Bit, payload: unhex("f3 48 cd c9 c9 07 00 00")}), uint64(5))
	f.Add(wire(frame{op: Text, unmasked: true}), uint64(6))
	f.Add(wire(frame{op: Text, more: true, payload: strings.Repeat("x", 300) + "SEC"}, frame{op: Ping}, frame{op: Close}), uint64(7))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 6))
		l := limits{deflate: Deflate{Enabled: seed%2 == 1, ClientNoContextTakeover: seed%4 == 1}, hold: 200, maxInflated: 1 << 20}
		seen, out, err := run(data, l, atOnce)
		seen2, out2, err2 := run(data, l, func() int { return 1 + rng.IntN(1+rng.IntN(60)) })
		require.Equal(t, seen, seen2)
		require.Equal(t, err, err2)
		if err == nil {
			require.Equal(t, out, out2)
		}
		// A long message that is refused may have flowed further in small pieces than in one.
		n := min(len(out), len(out2))
		require.Equal(t, out[:n], out2[:n])
		for _, o := range [][]byte{out, out2} {
			var plain []byte
			for rest := o; len(rest) > 0; {
				h, size := parseHeader(rest)
				if size == 0 {
					t.Fatal("half a header left")
				}
				end := min(int64(len(rest)), int64(size)+h.length)
				if h.rsv == 0 {
					body := make([]byte, end-int64(size))
					mask(body, rest[size:end], h.key, 0)
					plain = append(plain, body...)
					if h.fin {
						plain = append(plain, "|"...)
					}
				}
				rest = rest[end:]
			}
			if !bytes.Contains(data, []byte("SECRET")) && bytes.Contains(plain, []byte("SECRET")) {
				t.Fatalf("a secret left: %q", plain)
			}
		}
	})
}
