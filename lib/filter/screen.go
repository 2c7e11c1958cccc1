package filter

import (
	"bytes"
	"mime"
	"slices"
	"strings"

	"bottle/lib/decode"
	"bottle/lib/dlp"
	"bottle/lib/locate"
	"bottle/lib/redact"
	"bottle/lib/refusal"
)

// mostLocated bounds how many findings of one request are located exactly:
// each costs a look at the names that lead to it.
const mostLocated = 1000

// at says where f stands: as exactly as the place can tell.
func (r *ruling) at(f dlp.Finding, p place) string {
	if p.locate == nil || r.located >= mostLocated {
		return p.location
	}
	r.located++
	return p.locate(locate.Range{Start: f.Start, End: f.End})
}

// bodyPlace is the place of a body at hand, not encoded.
func (r *ruling) bodyPlace(text []byte) place {
	var where *locate.Whole // nil before it is asked
	return place{where: "body", location: "body", part: body, offsets: true, locate: func(at locate.Range) string {
		if where == nil {
			where = locate.NewWhole(r.req.Header.Get("Content-Type"), text)
		}
		return where.At(at, r.hides)
	}}
}

// scanQuoted judges the parts of a multipart body that are quoted-printable,
// which is no encoding of the scanner's: an equals sign and two digits mean
// something else in every other text.
func (r *ruling) scanQuoted(text []byte) error {
	kind, _, err := mime.ParseMediaType(r.req.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") && !strings.HasPrefix(kind, "message/") ||
		!bytes.Contains(bytes.ToLower(text), []byte("quoted-printable")) {
		return nil
	}
	plain := decode.QuotedPrintable(text)
	p := r.bodyPlace(plain)
	p.coding, p.fixed, p.offsets = "quoted-printable", true, false
	_, err = r.filter.judgeFindings(r, r.rules.all.Scan(plain), p)
	return err
}

// hides reports whether a name that is to be shown holds a secret.
func (r *ruling) hides(name []byte) bool { return r.rules.all.Scan(name) != nil }

// screen refuses dummies, whatever is done about secrets, and leaves out of fs
// what the operator's allowlist silences. It does not change fs.
func (r *ruling) screen(fs []dlp.Finding, p place) ([]dlp.Finding, error) {
	for _, f := range fs {
		if isDummy(f) {
			return nil, r.found(f, p)
		}
	}
	if !slices.ContainsFunc(fs, func(f dlp.Finding) bool { return r.filter.allowed.Knows(f.Rule, f.Label) }) {
		return fs, nil
	}
	var kept []dlp.Finding
	for _, f := range fs {
		if !r.silenced(f, p) {
			kept = append(kept, f)
		}
	}
	return kept, nil
}

func (r *ruling) silenced(f dlp.Finding, p place) bool {
	allowed := r.filter.allowed
	if !allowed.Knows(f.Rule, f.Label) {
		return false
	}
	// Where exactly, is judged in the decoded body.
	return p.coded || allowed.Allows(f.Rule, r.at(f, p), f.Label, r.x.Destination)
}

// unlisted is a scanner that leaves out what the allowlist silences in some
// place: for looking whether a text from which all else was taken is clean.
type unlisted struct {
	r     *ruling
	rules redact.Scanner
}

func (u unlisted) Scan(b []byte) []dlp.Finding {
	fs := u.rules.Scan(b)
	if u.r.filter.allowed == nil {
		return fs
	}
	return slices.DeleteFunc(fs, func(f dlp.Finding) bool { return u.r.filter.allowed.Knows(f.Rule, f.Label) })
}

// found makes a finding a refusal. Neither the message nor the masked sample
// holds the value.
func (r *ruling) found(f dlp.Finding, p place) *refusal.Refusal {
	location := r.at(f, p)
	undone := f.Encoding
	if p.coding != "" {
		undone = p.coding
		if f.Encoding != "" {
			undone += ">" + f.Encoding
		}
	}
	var e *refusal.Refusal
	if isDummy(f) {
		e = misdirected(p, location)
	} else {
		in := location
		if undone != "" {
			in += ", " + undone
		}
		e = refusal.New(refusal.SecretInRequest, "request %s contains secret: %s in %s (%s); remove it from the request", p.where, f.Rule, in, f.Sample)
	}
	e.Rule, e.Location, e.Sample, e.Encoding = f.Rule, location, f.Sample, undone
	if p.offsets {
		e.Offset = &f.Start
	}
	return e
}
