package echo_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"bottle/lib/echo"
)

func BenchmarkReader(b *testing.B) {
	one := rewriter(b, jwt(1), "")
	many := rewriter(b, jwt(1), "", jwt(3), "", "ghp_"+token(4, 36, tokenLetters), "", token(5, 8, tokenLetters), "")
	r := rand.New(rand.NewPCG(1, 1))
	random := make([]byte, 8<<20)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	other := jwt(9)
	texts := map[string][]byte{
		"random":      random,
		"text":        bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog, and it says {\"a\": [1, 2, 3]}.\n"), 100_000),
		"hexadecimal": []byte(strings.Repeat("00112233445566778899aabbccddeeff", 250_000)),
		"escapes":     []byte(strings.Repeat(`\u0041%20&#x41;`, 500_000)),
		"other JWTs":  []byte(strings.Repeat(other+" ", (8<<20)/len(other))),
	}
	for name, w := range map[string]*echo.Rewriter{"one": one, "four, one short": many} {
		for kind, text := range texts {
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				p := make([]byte, 32<<10)
				for b.Loop() {
					io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{echo.NewReader(io.NopCloser(bytes.NewReader(text)), w, nil)}, p)
				}
			})
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	w := rewriter(b, jwt(1), "", "ghp_"+token(4, 36, tokenLetters), "")
	event := []byte("data: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\" word\"}\n\n")
	s := w.NewStream(nil)
	var out []byte
	for b.Loop() {
		out = s.Append(out[:0], event)
	}
}

func BenchmarkNew(b *testing.B) {
	real := value(b, jwt(1))
	for b.Loop() {
		echo.New([]echo.Credential{{Real: real}})
	}
}
