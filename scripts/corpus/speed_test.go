package corpus

import (
	"testing"

	"bottle/lib/dlp"
)

// How fast the scanner reads the samples of the bench, and a small turn.
func BenchmarkSamples(b *testing.B) {
	rules, err := dlp.Compile(dlp.Builtin(), dlp.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, sample := range append(Samples(11, 512<<10), Sample{"8 KB turn", Turn(12, 4_500)}) {
		b.Run(sample.Name, func(b *testing.B) {
			b.SetBytes(int64(len(sample.Text)))
			b.ReportAllocs()
			for b.Loop() {
				if len(rules.Scan(sample.Text)) > 0 {
					b.Fatal("a harmless text has findings")
				}
			}
		})
	}
}
