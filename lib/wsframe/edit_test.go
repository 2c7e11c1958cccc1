package wsframe

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// upper is an editor that shouts, and holds back an s until it knows what follows: "secret" becomes a star.
type upper struct{ held string }

func (u *upper) Append(dst, p []byte) []byte {
	text := u.held + string(p)
	u.held = ""
	for n := min(len(text), len("secret")-1); n > 0; n-- {
		if strings.HasPrefix("secret", text[len(text)-n:]) {
			text, u.held = text[:len(text)-n], text[len(text)-n:]
			break
		}
	}
	return append(dst, shout(strings.ReplaceAll(text, "secret", "*"))...)
}

// shout is for bytes that need not be text.
func shout(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c &^ 0x20
		}
	}
	return string(b)
}

func (u *upper) Finish(dst []byte) []byte {
	dst = append(dst, shout(u.held)...)
	u.held = ""
	return dst
}

// serverSide is a connection on which the server has sent all that it will.
type serverSide struct {
	io.Reader
	io.Writer
}

func (serverSide) Close() error { return nil }

func editAll(t testing.TB, d Deflate, sent []byte, onebyte bool) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(sent)
	if onebyte {
		r = iotest.OneByteReader(r)
	}
	e := Edit(serverSide{r, io.Discard}, EditOptions{Messages: &upper{}, Control: &upper{}, Deflate: d})
	defer e.Close()
	got, err := io.ReadAll(e)
	if err != io.ErrUnexpectedEOF { // amid a frame
		require.NoError(t, err)
	}
	return got
}

// received puts the messages of unmasked frames together.
func received(t testing.TB, b []byte) (messages []string, frames int) {
	t.Helper()
	var text string
	for len(b) > 0 {
		h, size := parseHeader(b)
		require.NotZero(t, size)
		require.Zero(t, h.rsv)
		require.False(t, h.masked)
		require.True(t, h.isMinimal())
		payload := string(b[size : size+int(h.length)])
		b = b[size+int(h.length):]
		frames++
		switch {
		case h.op.isControl():
			messages = append(messages, h.op.String()+" "+payload)
			continue
		case h.op != Continuation:
			text = h.op.String() + " "
		}
		text += payload
		if h.fin {
			messages = append(messages, text)
		}
	}
	return messages, frames
}

func TestMessagesOfTheServerAreEdited(t *testing.T) {
	for _, tc := range []struct {
		name   string
		frames []frame
		want   []string
		count  int
	}{
		{"one frame", []frame{{op: Text, payload: "a secret b"}}, []string{"text A * B"}, 1},
		{"binary", []frame{{op: Binary, payload: "a secret b"}}, []string{"binary A * B"}, 1},
		{"empty", []frame{{op: Text}}, []string{"text "}, 1},
		{"fragments", []frame{{op: Text, more: true, payload: "a sec"}, {more: true, payload: "re"}, {payload: "t b"}}, []string{"text A * B"}, 2},
		{"a fragment that says nothing yet", []frame{{op: Text, more: true, payload: "sec"}, {payload: "ret"}}, []string{"text *"}, 1},
		{"a ping amid them", []frame{{op: Text, more: true, payload: "a sec"}, {op: Ping, payload: "secret"}, {payload: "ret b"}}, []string{"ping *", "text A * B"}, 3},
		{"messages do not touch", []frame{{op: Text, payload: "sec"}, {op: Text, payload: "ret"}}, []string{"text SEC", "text RET"}, 2},
		{"close", []frame{{op: Close, payload: "\x03\xe8a secret"}, {op: Text, payload: "after"}}, []string{"close \x03\xe8A *"}, 1},
	} {
		for i := range tc.frames {
			tc.frames[i].unmasked = true
		}
		for _, onebyte := range []bool{false, true} {
			got, frames := received(t, editAll(t, Deflate{}, wire(tc.frames...), onebyte))
			require.Equal(t, tc.want, got, tc.name)
			require.Equal(t, tc.count, frames, tc.name)
		}
	}
}

func TestUneditedFramesStayAsTheyAre(t *testing.T) {
	var sent []byte
	for _, n := range []int{0, 1, 125, 126, 4000, fragment} {
		sent = append(sent, wire(frame{op: Text, payload: strings.Repeat("A", n), unmasked: true})...)
	}
	require.True(t, bytes.Equal(sent, editAll(t, Deflate{}, sent, false)))
}

func TestALongMessageFlows(t *testing.T) {
	client, server := net.Pipe()
	defer server.Close()
	e := Edit(client, EditOptions{Messages: &upper{}, Control: &upper{}})
	defer e.Close()
	frame := wire(frame{op: Text, payload: strings.Repeat("a", 1<<20), unmasked: true})
	go server.Write(frame[:300_000])
	got := make([]byte, 200_000)
	_, err := io.ReadFull(e, got)
	require.NoError(t, err)
	go server.Write(frame[300_000:])
	for total := len(got); total < 1<<20; {
		n, err := e.Read(got)
		require.NoError(t, err)
		total += n
	}
}

func TestCompressedMessagesOfTheServerAreEdited(t *testing.T) {
	texts := []string{"a secret", "", "another secret, and the same again: a secret", strings.Repeat("secret and ", 50_000), noise(1, 3000), "end"}
	for _, takeover := range []bool{true, false} {
		c := newCompressor(takeover)
		var sent []byte
		var want []string
		for i, text := range texts {
			data := c.message(text)
			half := len(data) / 2
			if i%2 == 0 {
				sent = append(sent, wire(frame{op: Text, rsv: rsv1Bit, payload: data, unmasked: true})...)
			} else {
				sent = append(sent, wire(
					frame{op: Text, rsv: rsv1Bit, more: true, payload: data[:half], unmasked: true}, frame{op: Ping, unmasked: true},
					frame{more: true, payload: data[half:], unmasked: true}, frame{unmasked: true})...)
				want = append(want, "ping ")
			}
			u := upper{}
			want = append(want, "text "+string(u.Finish(u.Append(nil, []byte(text)))))
			sent = append(sent, wire(frame{op: Text, payload: "plain secret", unmasked: true})...)
			want = append(want, "text PLAIN *")
		}
		for _, onebyte := range []bool{false, true} {
			got, _ := received(t, editAll(t, Deflate{Enabled: true, ServerNoContextTakeover: !takeover}, sent, onebyte))
			require.Equal(t, want, got)
		}
	}
}

func TestAServerThatBreaksTheProtocolIsCutOff(t *testing.T) {
	good := frame{op: Text, payload: "fine", unmasked: true}
	for name, bad := range map[string]frame{
		"masked":              {op: Text, payload: "x"},
		"reserved bit":        {op: Text, rsv: 0x20, unmasked: true},
		"compressed":          {op: Text, rsv: rsv1Bit, unmasked: true},
		"unknown kind":        {op: 3, unmasked: true},
		"continuation":        {unmasked: true},
		"long length":         {op: Text, payload: "x", form: 126, unmasked: true},
		"fragmented ping":     {op: Ping, more: true, unmasked: true},
		"long ping":           {op: Ping, payload: strings.Repeat("a", 126), unmasked: true},
		"half a close code":   {op: Close, payload: "x", unmasked: true},
		"a length below zero": {op: Text, payload: "", form: 127, unmasked: true},
	} {
		sent := wire(good, bad, good)
		got, _ := received(t, editAll(t, Deflate{}, sent, false))
		require.Len(t, got, 2, name)
		require.Equal(t, "text FINE", got[0], name)
		require.True(t, strings.HasPrefix(got[1], "close \x03\xea"), "%s: %q", name, got[1])
	}
	got, _ := received(t, editAll(t, Deflate{Enabled: true}, wire(good, frame{op: Text, rsv: rsv1Bit, payload: "\xff\xff\xff", unmasked: true}), false))
	require.True(t, strings.HasPrefix(got[1], "close \x03\xef"), "%q", got)
}

func TestAServerThatGoesAwayAmidAMessage(t *testing.T) {
	c := newCompressor(true)
	for _, sent := range [][]byte{
		wire(frame{op: Text, payload: "half", unmasked: true})[:4],
		wire(frame{op: Text, rsv: rsv1Bit, payload: c.message(noise(1, 400)), unmasked: true})[:100],
		wire(frame{op: Text, payload: "half", more: true, unmasked: true}),
		{0x81},
	} {
		got := editAll(t, Deflate{Enabled: true}, sent, false)
		require.False(t, bytes.Contains(got, []byte{0x88}), "no close frame of ours")
	}
}

func FuzzEdit(f *testing.F) {
	c := newCompressor(true)
	f.Add(wire(frame{op: Text, payload: "a secret", unmasked: true}), true)
	f.Add(wire(frame{op: Text, rsv: rsv1Bit, payload: c.message("a secret"), unmasked: true}, frame{op: Close, unmasked: true}), true)
	f.Add(wire(frame{op: Text, more: true, payload: "sec", unmasked: true}, frame{op: Ping, unmasked: true}, frame{payload: "ret", unmasked: true}), false)
	f.Fuzz(func(t *testing.T, sent []byte, deflate bool) {
		if len(sent) > 10_000 {
			return
		}
		whole := editAll(t, Deflate{Enabled: deflate}, sent, false)
		if bytes.Contains(whole, []byte("secret")) {
			t.Fatal("not edited")
		}
		a, _ := received(t, whole)
		b, _ := received(t, editAll(t, Deflate{Enabled: deflate}, sent, true))
		require.Equal(t, a, b)
	})
}
