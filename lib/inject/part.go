package inject

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"bottle/lib/credential"
	"bottle/lib/secret"
)

// place is what of a request a part of a credential stands in.
type place string

const (
	inHeader place = "header"
	inQuery  place = "query"
	inCookie place = "cookie"
)

// part is one thing that a route puts on its requests. A route has as many as
// its origin wants to see together.
type part struct {
	place place
	name  string // of the header (canonical), parameter or cookie
	value template
	// basic says that value is a scheme's token only, and the header is made of
	// it and user as RFC 7617, section 2, has it.
	basic bool
	user  string
	// add says that a header's list gets value as one more element unless it
	// has it; what the agent put there stays.
	add bool
	// source of the fields; nil if value is constant.
	source credential.Source
	// redacted stands for the credential in answers where no dummy does.
	redacted string
}

// secret reports whether the part carries the credential itself, as opposed to
// a companion or a constant.
func (p *part) secret() bool { return p.value.has(tokenField) }

func (p *part) String() string {
	if p.place == inHeader {
		return p.name
	}
	return "the " + string(p.place) + " " + p.name
}

// sent returns what req carries in the part's place.
func (p *part) sent(req *http.Request) []string {
	switch p.place {
	case inQuery:
		return queryValues(req.URL.RawQuery, p.name)
	case inCookie:
		return cookieValues(req.Header["Cookie"], p.name)
	}
	return req.Header[p.name]
}

// tokenOf returns the token in value, which an agent sent in the part's place:
// what stands where the real one would.
func (p *part) tokenOf(value string) (string, bool) {
	if p.basic {
		scheme, code, ok := strings.Cut(value, " ")
		if !ok || !strings.EqualFold(scheme, "Basic") {
			return "", false
		}
		plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(code))
		if err != nil {
			return "", false
		}
		_, password, ok := strings.Cut(string(plain), ":")
		return password, ok
	}
	var st credential.State
	if p.source != nil {
		var err error
		if st, err = p.source.Current(); err != nil {
			return "", false
		}
	}
	before, after, err := p.value.around(st)
	if err != nil {
		return "", false
	}
	if scheme, ok := strings.CutSuffix(before, " "); ok && p.place == inHeader {
		// A scheme is read in any case, and any number of spaces follows it (RFC
		// 9110, sections 11.1 and 11.4).
		if len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) || value[len(scheme)] != ' ' {
			return "", false
		}
		before, value = "", strings.TrimSpace(value[len(scheme):])
	}
	if !strings.HasPrefix(value, before) || !strings.HasSuffix(value[len(before):], after) {
		return "", false
	}
	return value[len(before) : len(value)-len(after)], true
}

var errSpace = errors.New("the token contains a space")

// render makes the text that goes into the part's place.
func (p *part) render(st credential.State) (string, error) {
	text, err := p.value.expand(st)
	if err != nil {
		return "", err
	}
	token := st.Token.Expose()
	switch {
	case p.basic:
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+text)), nil
	case p.place == inCookie && strings.Trim(text, cookieOctets) != "":
		return "", errors.New("the value has a character that cannot stand in a cookie (RFC 6265, section 4.1.1)")
	case p.place == inHeader && p.secret() && strings.HasSuffix(p.value[0].text, " ") && strings.Contains(token, " "):
		return "", errSpace
	}
	return text, nil
}

// cookieOctets are what a cookie's value is made of.
var cookieOctets = func() string {
	var b strings.Builder
	for c := byte(0x21); c < 0x7f; c++ {
		if !strings.ContainsRune(`",;\`, rune(c)) {
			b.WriteByte(c)
		}
	}
	return b.String()
}()

// put sets the part's text on req, in place of whatever the agent had there.
func (p *part) put(req *http.Request, text string) {
	switch p.place {
	case inQuery:
		req.URL.RawQuery = setQuery(req.URL.RawQuery, p.name, text)
	case inCookie:
		req.Header["Cookie"] = []string{setCookie(req.Header["Cookie"], p.name, text)}
	default:
		delete(req.Trailer, p.name)
		deleteDashed(req.Trailer, p.name)
		if !p.add {
			deleteDashed(req.Header, p.name)
			req.Header[p.name] = []string{text}
			return
		}
		values := req.Header[p.name]
		for _, v := range values {
			for _, e := range strings.Split(v, ",") {
				if textproto.TrimString(e) == text {
					return
				}
			}
		}
		// One line: Anthropic's own clients send one, and an origin may read the
		// first alone.
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return textproto.TrimString(v) == "" })
		req.Header[p.name] = []string{strings.Join(append(values, text), ",")}
	}
}

// redactedName begins what stands for a credential where no dummy does.
const redactedName = "bottle-redacted-"

// Sent is one real value that was put on a request, with what may stand in its
// place where an answer repeats it.
type Sent struct {
	Real secret.Value
	// Dummy is what the agent sent there, or redactedName and the slot.
	Dummy   string
	Source  credential.Source
	Version uint64
}

// sentOf lists the real values that text, made of st, puts on a request. given
// is the dummy that the agent sent in the part's place, and whole the value it
// stood in, if it did.
func (p *part) sentOf(st credential.State, text, given, whole string) []Sent {
	if !p.secret() {
		return nil
	}
	if given == "" {
		given = p.redacted
	}
	out := []Sent{{st.Token, given, p.source, st.Version}}
	if p.basic {
		code := strings.TrimPrefix(text, "Basic ")
		if real, err := secret.New(code); err == nil {
			_, dummy, ok := strings.Cut(whole, " ")
			if dummy = strings.TrimSpace(dummy); !ok || dummy == "" {
				dummy = p.redacted
			}
			out = append(out, Sent{real, dummy, p.source, st.Version})
		}
	}
	return out
}

// unavailable names the part whose value could not be made, without the value.
func (p *part) unavailable(err error) error {
	return fmt.Errorf("%s from %s: %w", p, p.source, err)
}
