package dlp

import "fmt"

// Finding is one secret that was found. It never holds the value, so that printing it is safe.
type Finding struct {
	Rule       string // Rule.Name
	Start, End int64  // the value's bytes are [Start, End) of the stream
	Encoding   string // what was undone to see it, the outermost first: "percent", "base64>json"; empty: nothing
	Label      string // what [Options].Label returned
	Sample     string // at most the first four bytes, unprintable ones as '.', and "…"; of a known value "…" alone

	// Begins says that the value is the beginning of a block, which goes on behind End to its own end: a private key's lines.
	Begins bool

	// Cut says that the value may begin before Start: the mark that gives it away stands amid it, and of what precedes the mark not
	// all could be told.
	Cut bool

	general bool // a rule that names the issuer goes before
	covers  bool // what overlaps an earlier finding is reported from its end on, instead of left out
}

// String says which rule matched and where: "github-token at 17-57 (ghp_…)", "… (ghp_…, base64)".
func (f Finding) String() string {
	if f.Encoding != "" {
		return fmt.Sprintf("%s at %d-%d (%s, %s)", f.Rule, f.Start, f.End, f.Sample, f.Encoding)
	}
	return fmt.Sprintf("%s at %d-%d (%s)", f.Rule, f.Start, f.End, f.Sample)
}

// sampleLen is how much of a value a sample shows. For most rules that is the public prefix.
const sampleLen = 4

func sample(value []byte) string {
	s := make([]byte, 0, sampleLen+len("…"))
	for _, c := range value[:min(sampleLen, len(value))] {
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		s = append(s, c)
	}
	return string(append(s, "…"...))
}
