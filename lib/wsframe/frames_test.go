package wsframe

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/stretchr/testify/require"
)

// frame is a frame to be sent, right or wrong.
type frame struct {
	op       Opcode
	more     bool // FIN clear
	rsv      byte
	payload  string
	unmasked bool
	form     byte // how the length is written, 0: as short as possible
}

var testKey = [4]byte{0xa1, 0x5e, 0x03, 0x77}

// wire returns the frames' bytes.
func wire(frames ...frame) []byte {
	var b []byte
	for _, f := range frames {
		first := f.rsv | byte(f.op)
		if !f.more {
			first |= finBit
		}
		bits := byte(maskBit)
		if f.unmasked {
			bits = 0
		}
		form, n := f.form, len(f.payload)
		switch {
		case form != 0:
		case n <= 125:
			form = byte(n)
		case n <= 0xffff:
			form = 126
		default:
			form = 127
		}
		b = append(b, first, bits|form)
		switch form {
		case 126:
			b = binary.BigEndian.AppendUint16(b, uint16(n))
		case 127:
			b = binary.BigEndian.AppendUint64(b, uint64(n))
		}
		body := []byte(f.payload)
		if !f.unmasked {
			b = append(b, testKey[:]...)
			mask(body, body, testKey, 0)
		}
		b = append(b, body...)
	}
	return b
}

// compressor makes permessage-deflate payloads.
type compressor struct {
	buf      bytes.Buffer
	w        *flate.Writer
	takeover bool
}

func newCompressor(takeover bool) *compressor {
	c := &compressor{takeover: takeover}
	c.w, _ = flate.NewWriter(&c.buf, flate.DefaultCompression)
	return c
}

func (c *compressor) message(s string) string {
	c.buf.Reset()
	if !c.takeover {
		c.w.Reset(&c.buf)
	}
	c.w.Write([]byte(s))
	c.w.Flush()
	return strings.TrimSuffix(c.buf.String(), "\x00\x00\xff\xff")
}

func noise(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func TestAcceptIsThatOfTheRFC(t *testing.T) {
	require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", Accept("dGhlIHNhbXBsZSBub25jZQ=="))
}

func TestServerFrames(t *testing.T) {
	require.Equal(t, "\x81\x05Hello", string(AppendText(nil, []byte("Hello"))), "RFC 6455 §5.7")
	require.Equal(t, "x\x81\x00", string(AppendText([]byte("x"), nil)))
	require.Equal(t, "\x88\x05\x03\xf0bad", string(AppendClose(nil, 1008, "bad")))
	for _, n := range []int{125, 126, 0xffff, 0x10000, 1 << 20} {
		b := AppendText(nil, bytes.Repeat([]byte("a"), n))
		h, size := parseHeader(b)
		require.EqualValues(t, n, h.length)
		require.True(t, h.isMinimal())
		require.Equal(t, len(b), size+n)
		require.False(t, h.masked)
	}
}

func TestCloseReasonIsCutAtACharacter(t *testing.T) {
	b := AppendClose(nil, 1008, strings.Repeat("a", 122)+"é")
	require.Equal(t, 2+2+122, len(b))
	require.Equal(t, byte(124), b[1])
	b = AppendClose(nil, 1008, strings.Repeat("é", 100))
	require.Equal(t, strings.Repeat("é", 61), string(b[4:]))
}

func TestMaskedCloseIsReadBack(t *testing.T) {
	b := appendMaskedClose(nil, 1001, "going", testKey)
	h, size := parseHeader(b)
	require.Equal(t, Close, h.op)
	require.True(t, h.masked)
	got := make([]byte, h.length)
	mask(got, b[size:], h.key, 0)
	require.Equal(t, "\x03\xe9going", string(got))
}

func TestMaskAtAnyOffset(t *testing.T) {
	want := []byte(noise(1, 100))
	masked := make([]byte, len(want))
	for i := range want {
		masked[i] = want[i] ^ testKey[i&3]
	}
	for from := range 20 {
		for n := range 60 {
			got := make([]byte, n)
			mask(got, masked[from:from+n], testKey, int64(from))
			require.Equal(t, want[from:from+n], got, "%d %d", from, n)
		}
	}
}

func TestHeaderNeedsAllItsBytes(t *testing.T) {
	for _, n := range []int{0, 5, 126, 70_000} {
		b := wire(frame{op: Binary, payload: noise(2, n)})
		_, size := parseHeader(b)
		for i := range size {
			_, got := parseHeader(b[:i])
			require.Zero(t, got)
		}
		h, _ := parseHeader(b[:size])
		require.EqualValues(t, n, h.length)
		require.Equal(t, testKey, h.key)
	}
}

func TestTrackerStopsBetweenMessages(t *testing.T) {
	var b []byte
	var ends []int
	for _, f := range [][]frame{
		{{op: Text, payload: "one"}},
		{{op: Text, more: true, payload: noise(3, 300)}, {op: Ping, payload: "p"}, {op: Continuation, more: true}, {op: Continuation, payload: "end"}},
		{{op: Pong}},
		{{op: Binary, payload: noise(4, 70_000), unmasked: true}},
		{{op: Close, payload: "\x03\xe8"}},
	} {
		b = append(b, wire(f...)...)
		ends = append(ends, len(b))
	}
	for _, step := range []int{1, 2, 7, len(b)} {
		var tr tracker
		var got []int
		for at := 0; at < len(b); {
			require.False(t, tr.closed)
			rest := b[at:min(len(b), at+step)]
			at += tr.advance(rest)
			if tr.betweenMessages() {
				got = append(got, at)
			}
		}
		require.Equal(t, ends, got)
		require.True(t, tr.closed)
	}
}

func TestTrackerLosesItselfOnImpossibleLengths(t *testing.T) {
	var tr tracker
	b := append([]byte{0x82, 127}, bytes.Repeat([]byte{0xff}, 30)...)
	require.Equal(t, len(b), tr.advance(b))
	require.False(t, tr.betweenFrames())
}

func TestParseExtensions(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   Deflate
		err    string
	}{
		{nil, Deflate{}, ""},
		{[]string{""}, Deflate{}, ""},
		{[]string{" , "}, Deflate{}, ""},
		{[]string{"permessage-deflate"}, Deflate{Enabled: true}, ""},
		{[]string{"Permessage-Deflate"}, Deflate{Enabled: true}, ""},
		{[]string{"", "permessage-deflate"}, Deflate{Enabled: true}, ""},
		{[]string{"permessage-deflate; client_no_context_takeover"}, Deflate{true, true, false}, ""},
		{[]string{"permessage-deflate;server_no_context_takeover ; client_max_window_bits=15"}, Deflate{true, false, true}, ""},
		{[]string{`permessage-deflate; server_max_window_bits="10"`}, Deflate{Enabled: true}, ""},
		{[]string{"x-webkit-deflate-frame"}, Deflate{}, "is not known"},
		{[]string{"permessage-deflate, permessage-deflate"}, Deflate{}, "is there twice"},
		{[]string{"permessage-deflate", "permessage-deflate"}, Deflate{}, "is there twice"},
		{[]string{"permessage-deflate, permessage-bzip2"}, Deflate{}, "is not known"},
		{[]string{"permessage-deflate; mystery"}, Deflate{}, "not known"},
		{[]string{"permessage-deflate;"}, Deflate{}, "not known"},
		{[]string{"; x"}, Deflate{}, "not known"},
		{[]string{"permessage-deflate; client_no_context_takeover=1"}, Deflate{}, "takes no value"},
		{[]string{"permessage-deflate; client_no_context_takeover; client_no_context_takeover"}, Deflate{}, "is there twice"},
		{[]string{"permessage-deflate; client_max_window_bits"}, Deflate{}, "not a number from 8 to 15"},
		{[]string{"permessage-deflate; client_max_window_bits=7"}, Deflate{}, "not a number from 8 to 15"},
		{[]string{"permessage-deflate; client_max_window_bits=16"}, Deflate{}, "not a number from 8 to 15"},
		{[]string{"permessage-deflate; client_max_window_bits=08"}, Deflate{}, "not a number from 8 to 15"},
		{[]string{"permessage-deflate; client_max_window_bits=+9"}, Deflate{}, "not a number from 8 to 15"},
	} {
		got, err := ParseExtensions(c.values)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.values)
			require.Zero(t, got)
			continue
		}
		require.NoError(t, err, c.values)
		require.Equal(t, c.want, got, c.values)
	}
}

func FuzzParseExtensions(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits=15, x")
	f.Add(`permessage-deflate; server_max_window_bits="8";;=`)
	f.Fuzz(func(t *testing.T, value string) {
		d, err := ParseExtensions([]string{value})
		if err != nil {
			require.Zero(t, d)
		} else if d.Enabled {
			require.Contains(t, strings.ToLower(value), "permessage-deflate")
		}
	})
}

// unhex decodes the RFCs' examples.
func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}
