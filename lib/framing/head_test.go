package framing

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	good    = "GET /first HTTP/1.1\r\nHost: a.example\r\n\r\n"
	posting = "POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"
)

func TestRefusesHead(t *testing.T) {
	fields := func(s string) string { return "POST / HTTP/1.1\r\nHost: a.example\r\n" + s + "\r\n" }
	line := func(s string) string { return s + "\r\nHost: a.example\r\n\r\n" }
	for _, tc := range []struct{ name, code, head string }{
		{"length and coding", FramingConflict, fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"},
		{"coding and length", FramingConflict, fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n"},
		{"coding and length zero", FramingConflict, fields("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")},
		{"two equal lengths", FramingConflict, fields("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello"},
		{"two lengths", FramingConflict, fields("Content-Length: 5\r\ncontent-length: 6\r\n")},
		{"length list", FramingConflict, fields("Content-Length: 5, 5\r\n")},
		{"length sign", FramingConflict, fields("Content-Length: +5\r\n")},
		{"length negative", FramingConflict, fields("Content-Length: -5\r\n")},
		{"length hex", FramingConflict, fields("Content-Length: 0x5\r\n")},
		{"length empty", FramingConflict, fields("Content-Length:\r\n")},
		{"length inner space", FramingConflict, fields("Content-Length: 1 2\r\n")},
		{"length overflow", FramingConflict, fields("Content-Length: 9223372036854775808\r\n")},
		{"length overflow 64", FramingConflict, fields("Content-Length: 18446744073709551621\r\n")},
		{"coding gzip", FramingConflict, fields("Transfer-Encoding: gzip\r\n")},
		{"coding list", FramingConflict, fields("Transfer-Encoding: gzip, chunked\r\n")},
		{"coding chunked twice", FramingConflict, fields("Transfer-Encoding: chunked, chunked\r\n")},
		{"coding identity", FramingConflict, fields("Transfer-Encoding: identity\r\n")},
		{"coding empty", FramingConflict, fields("Transfer-Encoding:\r\n")},
		{"coding quoted", FramingConflict, fields("Transfer-Encoding: \"chunked\"\r\n")},
		{"coding parameter", FramingConflict, fields("Transfer-Encoding: chunked;q=1\r\n")},
		{"two codings", FramingConflict, fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
		{"coding on 1.0", FramingConflict, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"connect with length", FramingConflict, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx"},
		{"connect chunked", FramingConflict, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"trailer announces length", FramingConflict, fields("Transfer-Encoding: chunked\r\nTrailer: X, Content-length\r\n")},

		{"two hosts", DuplicateHost, fields("Host: a.example\r\n")},
		{"two hosts, other case", DuplicateHost, fields("hOST: b.example\r\n")},

		{"no host", MalformedHead, "GET / HTTP/1.1\r\n\r\n"},
		{"host with slash", MalformedHead, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
		{"host with space", MalformedHead, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
		{"host with at", MalformedHead, "GET / HTTP/1.1\r\nHost: u@b\r\n\r\n"},
		{"bare LF everywhere", MalformedHead, "GET / HTTP/1.1\nHost: a.example\n\n"},
		{"bare LF after request line", MalformedHead, "GET / HTTP/1.1\nHost: a.example\r\n\r\n"},
		{"bare LF after field", MalformedHead, fields("A: b\n")},
		{"bare LF as the end", MalformedHead, "GET / HTTP/1.1\r\nHost: a.example\r\n\n"},
		{"bare CR in value", MalformedHead, fields("A: b\rC: d\r\n")},
		{"CR CR LF", MalformedHead, fields("A: b\r\r\n")},
		{"folded line", MalformedHead, fields("A: b\r\n c\r\n")},
		{"folded by tab", MalformedHead, fields("A: b\r\n\tc\r\n")},
		{"fold before any field", MalformedHead, "GET / HTTP/1.1\r\n Host: a.example\r\n\r\n"},
		{"line of spaces", MalformedHead, fields("  \r\n")},
		{"space before colon", MalformedHead, fields("Content-Length : 5\r\n")},
		{"tab before colon", MalformedHead, fields("Content-Length\t: 5\r\n")},
		{"no colon", MalformedHead, fields("Content-Length\r\n")},
		{"no name", MalformedHead, fields(": 5\r\n")},
		{"name with space", MalformedHead, fields("A B: c\r\n")},
		{"name with slash", MalformedHead, fields("A/B: c\r\n")},
		{"name not ASCII", MalformedHead, fields("\xc3\x84: c\r\n")},
		{"name with NUL", MalformedHead, fields("A\x00B: c\r\n")},
		{"NUL in value", MalformedHead, fields("A: b\x00\r\n")},
		{"NUL in long value", MalformedHead, fields("A: " + strings.Repeat("b", 30) + "\x00" + strings.Repeat("b", 30) + "\r\n")},
		{"DEL in long value", MalformedHead, fields("A: " + strings.Repeat("b", 13) + "\x7f" + strings.Repeat("b", 30) + "\r\n")},
		{"control after tab", MalformedHead, fields("A: bbb\tbb\x01bbbbbbbb\r\n")},
		{"escape in value", MalformedHead, fields("A: \x1b[0m\r\n")},
		{"no version", MalformedHead, line("GET /")},
		{"0.9", MalformedHead, line("GET / HTTP/0.9")},
		{"1.2", MalformedHead, line("GET / HTTP/1.2")},
		{"2.0", MalformedHead, line("GET / HTTP/2.0")},
		{"preface of HTTP/2", MalformedHead, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"lower-case version", MalformedHead, line("GET / http/1.1")},
		{"long version", MalformedHead, line("GET / HTTP/1.10")},
		{"two spaces before target", MalformedHead, line("GET  / HTTP/1.1")},
		{"two spaces after target", MalformedHead, line("GET /  HTTP/1.1")},
		{"space in target", MalformedHead, line("GET /a b HTTP/1.1")},
		{"tab as separator", MalformedHead, line("GET\t/\tHTTP/1.1")},
		{"space at the end", MalformedHead, line("GET / HTTP/1.1 ")},
		{"space at the beginning", MalformedHead, line(" GET / HTTP/1.1")},
		{"no method", MalformedHead, line("/ HTTP/1.1")},
		{"only the version", MalformedHead, line("HTTP/1.1")},
		{"empty target", MalformedHead, line("GET  HTTP/1.1")},
		{"method not a token", MalformedHead, line("G@T / HTTP/1.1")},
		{"control in target", MalformedHead, line("GET /\x01 HTTP/1.1")},
		{"DEL in target", MalformedHead, line("GET /\x7f HTTP/1.1")},
		{"bad escape", MalformedHead, line("GET /%zz HTTP/1.1")},
		{"cut escape", MalformedHead, line("GET /%4 HTTP/1.1")},
		{"relative target", MalformedHead, line("GET foo HTTP/1.1")},
		{"authority target", MalformedHead, line("GET a.example:443 HTTP/1.1")},
		{"opaque target", MalformedHead, line("GET http:a.example HTTP/1.1")},
		{"absolute without host", MalformedHead, line("GET http:///path HTTP/1.1")},
		{"asterisk with GET", MalformedHead, line("GET * HTTP/1.1")},
		{"connect to a path", MalformedHead, line("CONNECT /path HTTP/1.1")},
		{"connect to a URL", MalformedHead, line("CONNECT http://a.example/ HTTP/1.1")},
		{"connect with userinfo", MalformedHead, line("CONNECT u@a.example:443 HTTP/1.1")},
		{"connect to a bad port", MalformedHead, line("CONNECT a.example:x HTTP/1.1")},
		{"two empty lines first", MalformedHead, "\r\n\r\n" + good},
		{"CR first", MalformedHead, "\rGET / HTTP/1.1\r\n"},
		{"LF first", MalformedHead, "\n" + good},
		{"TLS client hello", MalformedHead, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},

		{"large", HeaderTooLarge, fields("A: " + strings.Repeat("b", 2000) + "\r\n")},
		{"large, never a line", HeaderTooLarge, strings.Repeat("b", 2000)},
		{"large, many fields", HeaderTooLarge, fields(strings.Repeat("A: b\r\n", 300))},
		{"large, bad behind the limit", HeaderTooLarge, fields("A: " + strings.Repeat("b", 2000) + "\n")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range cuts {
				for _, before := range []string{"", good, posting, "\r\n" + good} {
					input := before + tc.head + "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"
					guard, out, err := readAll([]byte(input), Limits{MaxHeadBytes: 1024}, c)
					require.ErrorIs(t, err, io.EOF, c)
					require.Equal(t, strings.TrimPrefix(before, "\r\n")+standIn, string(out), c)
					v := guard.Violation()
					require.NotNil(t, v, c)
					require.Equal(t, tc.code, v.Code, c)
				}
			}
		})
	}
}

// legal holds streams that must pass unchanged, and the bodies in them.
var legal = []struct {
	name, stream string
	bodies       []string
}{
	{"get", good, []string{""}},
	{"post", posting, []string{"hello"}},
	{"pipelined", good + posting + good, []string{"", "hello", ""}},
	{"odd white space", "GET / HTTP/1.1\r\nHost: \t a.example \t\r\nContent-Length:0\r\nA:\t\tb\tc\r\n\r\n", []string{""}},
	{"empty value", "GET / HTTP/1.1\r\nHost: a.example\r\nA:\r\nB: \r\n\r\n", []string{""}},
	{"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", []string{""}},
	{"8-bit value", "GET / HTTP/1.1\r\nHost: a.example\r\nA: \xc3\xa4\xff\r\n\r\n", []string{""}},
	{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", []string{""}},
	{"absolute", "GET http://b.example:8080/x?y HTTP/1.1\r\nHost: b.example:8080\r\n\r\n", []string{""}},
	{"IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", []string{""}},
	{"escapes", "GET /a%2Fb?%zz HTTP/1.1\r\nHost: a.example\r\n\r\n", []string{""}},
	{"own method", "M-SEARCH / HTTP/1.1\r\nHost: a.example\r\n\r\n", []string{""}},
	{"1.0", "GET / HTTP/1.0\r\n\r\n", []string{""}},
	{"1.0 keep-alive", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.0\r\n\r\n", []string{"hi", ""}},
	{"continue", "POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", []string{"hi"}},
	{"get with body", "GET / HTTP/1.1\r\nHost: a.example\r\ncontent-LENGTH: 0000005 \r\n\r\nhello" + good, []string{"hello", ""}},
	{"length zero", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n" + good, []string{"", ""}},
	{"body like a head", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 17\r\n\r\nGET\nBad\nHead\n\n\n\n\n" + good, []string{"GET\nBad\nHead\n\n\n\n\n", ""}},
	{"chunks", chunkedHead + "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n" + good, []string{"hello!", ""}},
	{"chunks, case", "POST / HTTP/1.1\r\nHost: a.example\r\ntransfer-ENCODING:  ChunkeD\t\r\n\r\n0\r\n\r\n" + good, []string{"", ""}},
	{"chunk data like chunks", chunkedHead + "a\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n" + good, []string{"0\r\n\r\n0\r\n\r\n", ""}},
	{"chunk extensions", chunkedHead + "2;a=b;c=\"d e\"\r\nhi\r\n0;last\r\n\r\n" + good, []string{"hi", ""}},
	{"chunk size zeros and case", chunkedHead + "00000000000001A\r\n" + strings.Repeat("x", 26) + "\r\n000\r\n\r\n", []string{strings.Repeat("x", 26)}},
	{"trailers", chunkedHead + "2\r\nhi\r\n0\r\nDigest: abc\r\nGrpc-Status:\r\n\r\n" + good, []string{"hi", ""}},
	{"announced trailers", "POST / HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nTrailer: Digest, Other\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nDigest: abc\r\n\r\n" + good, []string{"", ""}},
	{"as large as allowed", "GET / HTTP/1.1\r\nHost: a.example\r\nA: " + strings.Repeat("b", 1024-40) + "\r\n\r\n", []string{""}},
}

func TestPassesLegalRequests(t *testing.T) {
	for _, tc := range legal {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range cuts {
				guard, out, err := readAll([]byte(tc.stream), Limits{MaxHeadBytes: 1024}, c)
				require.ErrorIs(t, err, io.EOF, c)
				require.Nil(t, guard.Violation(), c)
				require.Equal(t, tc.stream, string(out), c)
				require.True(t, guard.held.empty())
			}
			requests, err := parseAll([]byte(tc.stream))
			require.NoError(t, err)
			var bodies []string
			for _, r := range requests {
				bodies = append(bodies, r.body)
			}
			require.Equal(t, tc.bodies, bodies)
		})
	}
}

// A body can hold what would be a head, so the end of each message must be
// found exactly: no Read crosses it.
func TestReadStopsAtTheEndOfAMessage(t *testing.T) {
	for _, tc := range legal {
		if len(tc.bodies) != 2 || !strings.HasSuffix(tc.stream, good) {
			continue
		}
		guard := NewConn(&script{input: []byte(tc.stream), piece: 1 << 20}, Limits{})
		p := make([]byte, 1<<20)
		n, err := guard.Read(p)
		require.NoError(t, err)
		require.Equal(t, strings.TrimSuffix(tc.stream, good), string(p[:n]), tc.name)
	}
}

func TestHeadSizeLimitIsExact(t *testing.T) {
	const frame = "GET / HTTP/1.1\r\nHost: a.example\r\nA: \r\n\r\n"
	for _, limit := range []int{128, 4095, 4096, 4097, 8192, 20000, DefaultMaxHeadBytes} {
		for over := range 2 {
			stream := strings.Replace(frame, "A: ", "A: "+strings.Repeat("b", limit-len(frame)+over), 1)
			for _, c := range cuts {
				guard, out, err := readAll([]byte(stream), Limits{MaxHeadBytes: limit}, c)
				require.ErrorIs(t, err, io.EOF)
				if over == 0 {
					require.Nil(t, guard.Violation(), "%d %v", limit, c)
					require.Equal(t, stream, string(out))
				} else {
					require.Equal(t, standIn, string(out))
					require.Equal(t, HeaderTooLarge, guard.Violation().Code)
				}
			}
		}
	}
}

func TestDropsOneEmptyLineBeforeAHead(t *testing.T) {
	for _, c := range cuts {
		guard, out, err := readAll([]byte(posting+"\r\n"+good+"\r\n"), Limits{}, c)
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, posting+good, string(out), c)
		require.Nil(t, guard.Violation())
	}
}

// An incomplete head is nobody's request: the server closes without an answer.
func TestEndWithinAHeadIsEOF(t *testing.T) {
	for i := 1; i < len(good); i++ {
		for _, c := range cuts {
			guard, out, err := readAll([]byte(posting+good[:i]), Limits{}, c)
			require.Equal(t, io.EOF, err)
			require.Equal(t, posting, string(out))
			require.Nil(t, guard.Violation())
		}
	}
}

func TestStatusOfViolation(t *testing.T) {
	for code, status := range map[string]int{
		FramingConflict: 400, DuplicateHost: 400, MalformedHead: 400, BadChunk: 400,
		HeaderTooLarge: 431, HeaderTimeout: 408,
	} {
		v := &Violation{Code: code, Message: "m"}
		require.Equal(t, status, v.Status())
		require.Equal(t, fmt.Sprintf("framing: %s: m", code), v.Error())
	}
}
