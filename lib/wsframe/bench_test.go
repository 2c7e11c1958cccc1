package wsframe

import (
	"strings"
	"testing"
)

// pass is an Inspector that looks at nothing, so that the cost is the frames'.
type pass struct{ n int64 }

func (p *pass) Start(Opcode)                      { p.n = 0 }
func (p *pass) Write(b []byte) (int64, error)     { p.n += int64(len(b)); return p.n, nil }
func (p *pass) Finish() error                     { return nil }
func (p *pass) Control(op Opcode, _ []byte) error { return nil }

// A turn of Codex is one text frame of 40 to 70 kB.
func BenchmarkTurn(b *testing.B) {
	turn := strings.Repeat(`{"type":"message","role":"user","content":[{"type":"input_text","text":"please fix the test"}]},`, 640)
	for name, f := range map[string]struct {
		data    []byte
		deflate Deflate
		hold    int64
	}{
		"plain":      {wire(frame{op: Text, payload: turn}), Deflate{}, 0},
		"flowing":    {wire(frame{op: Text, payload: turn}), Deflate{}, 4096},
		"compressed": {wire(frame{op: Text, rsv: rsv1Bit, payload: newCompressor(false).message(turn)}), Deflate{Enabled: true, ClientNoContextTakeover: true}, 0},
	} {
		b.Run(name, func(b *testing.B) {
			c := Guard(nil, Options{Inspector: &pass{}, Deflate: f.deflate, Hold: f.hold})
			c.judge.release = func([]byte) error { return nil }
			b.SetBytes(int64(len(turn)))
			b.ReportAllocs()
			for b.Loop() {
				for rest := f.data; len(rest) > 0; {
					n := min(32<<10, len(rest))
					if _, err := c.Write(rest[:n]); err != nil || c.Err() != nil {
						b.Fatal(err, c.Err())
					}
					rest = rest[n:]
				}
			}
		})
	}
}
