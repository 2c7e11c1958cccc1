package wsframe

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// eraser is a Rewriter that makes SECRET asterisks.
type eraser struct {
	seen    int
	held    []byte // the last bytes, of which SECRET may have begun
	patches []Patch
}

func (e *eraser) Start(Opcode) { e.seen, e.held, e.patches = 0, nil, nil }

func (e *eraser) Write(p []byte) (int64, error) {
	e.patches = e.patches[:0]
	e.held = append(e.held, p...)
	e.seen += len(p)
	base := e.seen - len(e.held)
	for {
		i := bytes.Index(e.held, []byte("SECRET"))
		if i < 0 {
			break
		}
		copy(e.held[i:], "******")
		e.patches = append(e.patches, Patch{int64(base + i), []byte("******")})
	}
	e.held = append([]byte(nil), e.held[max(0, len(e.held)-5):]...)
	return int64(e.seen - len(e.held)), nil
}

func (e *eraser) Finish() error { e.patches = e.patches[:0]; return nil }

func (e *eraser) Control(Opcode, []byte) error { return nil }

func (e *eraser) Patches() []Patch { return e.patches }

// erase has a judge with an eraser read data.
func erase(data []byte, l limits, next func() int) (out []byte, err error) {
	c := Guard(nil, Options{Inspector: &eraser{}, Deflate: l.deflate, Hold: l.hold, MaxInflated: l.maxInflated, MaxRatio: 1 << 30})
	j := &c.judge
	j.release = func(p []byte) error { out = append(out, p...); return nil }
	for len(data) > 0 && err == nil {
		n := min(max(1, next()), len(data))
		err = j.write(data[:n])
		data = data[n:]
	}
	return out, err
}

// messagesOnly is without control frames, which may overtake.
func messagesOnly(seen []string) (out []string) {
	for _, s := range seen {
		if strings.HasPrefix(s, "text:") || strings.HasPrefix(s, "binary:") {
			out = append(out, s)
		}
	}
	return out
}

func TestRewrittenMessagesArriveAsTheyAreToBe(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 9))
		takeover := seed%3 != 0
		c := newCompressor(takeover)
		var frames []frame
		var want []string
		for range 1 + rng.IntN(8) {
			var b strings.Builder
			for range rng.IntN(60) {
				b.WriteString(strings.Repeat("words of an agent ", rng.IntN(20)))
				if rng.IntN(6) == 0 {
					b.WriteString("SECRET")
				}
				b.WriteString(noise(seed, rng.IntN(30)))
			}
			body, rsv := b.String(), byte(0)
			want = append(want, "text:"+strings.ReplaceAll(body, "SECRET", "******"))
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
		l := limits{deflate: Deflate{Enabled: true, ClientNoContextTakeover: !takeover}, hold: 2000}
		for _, next := range []func() int{atOnce, byteWise, func() int { return rng.IntN(300) }} {
			out, err := erase(wire(frames...), l, next)
			require.NoError(t, err)
			if !takeover {
				out = plainOnly(t, out) // the reference keeps one window for all
			}
			require.Equal(t, want, messagesOnly(reference(t, out)), "seed %d", seed)
		}
	}
}

// plainOnly inflates each compressed message of out on its own.
func plainOnly(t *testing.T, out []byte) []byte {
	t.Helper()
	var plain []byte
	var op Opcode
	var compressed bool
	var message []byte
	for len(out) > 0 {
		h, size := parseHeader(out)
		raw := out[:size+int(h.length)]
		out = out[len(raw):]
		if h.op.isControl() {
			continue
		}
		body := make([]byte, h.length)
		mask(body, raw[size:], h.key, 0)
		if h.op != Continuation {
			op, compressed, message = h.op, h.rsv != 0, nil
		}
		if message = append(message, body...); !h.fin {
			continue
		}
		rsv := byte(0)
		if compressed {
			rsv = rsv1Bit
		}
		one := reference(t, wire(frame{op: op, rsv: rsv, payload: string(message)}))
		require.Len(t, one, 1)
		plain = append(plain, wire(frame{op: op, payload: one[0][strings.Index(one[0], ":")+1:]})...)
	}
	return plain
}

func TestOnlyRewrittenMessagesChangeTheirFrames(t *testing.T) {
	long := strings.Repeat("words SECRET ", 2000)
	frames := func(s string) []byte {
		return wire(append(append([]frame{{op: Text, more: true, payload: "a"}}, split(s, 7)...), frame{op: Ping, payload: "p"}, frame{op: Continuation})...)
	}
	for _, hold := range []int64{100, 1 << 20} {
		out, err := erase(frames(long), limits{hold: hold}, atOnce)
		require.NoError(t, err)
		want := frames(strings.ReplaceAll(long, "SECRET", "******"))
		require.Len(t, out, len(want))
		if hold == 100 {
			require.Equal(t, want, out)
		}
	}
	// What is compressed stays so until one is changed.
	c := newCompressor(true)
	first := wire(frame{op: Text, rsv: rsv1Bit, payload: c.message("Hello Hello Hello")})
	second := wire(frame{op: Text, rsv: rsv1Bit, payload: c.message("Hello SECRET")})
	third := wire(frame{op: Text, rsv: rsv1Bit, payload: c.message("Hello Hello Hello")})
	out, err := erase(bytes.Join([][]byte{first, second, third}, nil), deflate, atOnce)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(out, first))
	rest := out[len(first):]
	for range 2 {
		h, size := parseHeader(rest)
		require.Zero(t, h.rsv)
		require.True(t, h.fin)
		rest = rest[size+int(h.length):]
	}
	require.Empty(t, rest)
}

func TestTooManyPatchesOfACompressedMessageAreRefused(t *testing.T) {
	c := newCompressor(true)
	_, err := erase(wire(frame{op: Text, rsv: rsv1Bit, payload: c.message(strings.Repeat("SECRET", maxPatched/6+10))}), deflate, atOnce)
	var v *ViolationError
	require.ErrorAs(t, err, &v)
	require.EqualValues(t, 1009, v.Code)
}

func FuzzRewrite(f *testing.F) {
	c := newCompressor(true)
	f.Add(wire(frame{op: Text, payload: "Hello SECRET"}), uint64(1))
	f.Add(wire(frame{op: Text, more: true, payload: "SEC"}, frame{op: Ping, payload: "p"}, frame{op: Continuation, payload: "RET"}), uint64(2))
	f.Add(wire(frame{op: Text, rsv: rsv1Bit, payload: c.message("Hello SECRET")}, frame{op: Text, rsv: rsv1Bit, payload: c.message("Hello SECRET")}), uint64(3))
	f.Add(wire(frame{op: Text, more: true, payload: strings.Repeat("SECRET", 300) + "SEC"}, frame{op: Ping}, frame{op: Continuation, payload: "RET"}), uint64(4))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 6))
		l := limits{deflate: Deflate{Enabled: seed%2 == 1}, hold: 200, maxInflated: 1 << 20}
		out, err := erase(data, l, atOnce)
		out2, err2 := erase(data, l, func() int { return 1 + rng.IntN(1+rng.IntN(60)) })
		require.Equal(t, err, err2)
		if err != nil {
			return
		}
		// A reader that refuses SECRET finds none; keys of rewritten messages
		// differ, what they say does not.
		l.maxInflateRatio = 1 << 30
		seen, _, err := run(out, l, atOnce)
		require.NoError(t, err)
		seen2, _, err := run(out2, l, atOnce)
		require.NoError(t, err)
		require.Equal(t, seen, seen2)
	})
}
