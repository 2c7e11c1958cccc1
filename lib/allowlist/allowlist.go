// Package allowlist knows the false alarms of a scanner: this rule, at this
// place, with this value, is no secret.
//
//	key_file = "allow.key"                       # or key = "…", 64 hexadecimal digits
//	[[allow]]
//	rule = "jwt"
//	location = "body json path messages[*].content"
//	value = "hmac-sha256:…"                      # as bottle-pipelock scan --explain prints it
//	host = "api.example.com"                     # optional: only there
//	comment = "the example token of the manual"  # optional
//
// A value is known by its HMAC-SHA-256 (RFC 2104) under the file's key: without
// the key, nobody can try values against the file. With the key in the file
// itself that is true only of those who cannot read the file.
package allowlist

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"bottle/lib/authority"
	"bottle/lib/secret"
	"bottle/lib/tomlfile"
)

// KeySize is the length of a key, in bytes.
const KeySize = 32

// digestPrefix names the function that a digest was made with.
const digestPrefix = "hmac-sha256:"

// List is a set of entries under one key. It is immutable and safe for
// concurrent use. A nil List has no entries and no key.
type List struct {
	key     []byte
	entries map[string][]entry // by rule and digest
}

type entry struct {
	location string
	host     *authority.Pattern
}

type file struct {
	Key     string      `toml:"key"`
	KeyFile string      `toml:"key_file"`
	Allow   []fileEntry `toml:"allow"`
}

type fileEntry struct {
	Rule     string `toml:"rule"`
	Location string `toml:"location"`
	Value    string `toml:"value"`
	Host     string `toml:"host"`
	Comment  string `toml:"comment"`
}

// Read reads the list at path. Errors are tomlfile's, with file and line, or
// secret's for a key file that others can read.
func Read(path string) (*List, error) {
	var c file
	f, err := tomlfile.Read(path, &c)
	if err != nil {
		return nil, err
	}
	var problems []*tomlfile.Error
	complain := func(key, format string, a ...any) *tomlfile.Error {
		e := f.Errorf(key, format, a...)
		problems = append(problems, e)
		return e
	}
	l := &List{entries: map[string][]entry{}}
	switch {
	case c.Key == "" && c.KeyFile == "":
		complain("key", "is missing").WithHint("bottle-pipelock scan --explain prints a fresh one")
	case c.Key != "" && c.KeyFile != "":
		complain("key_file", "and key are both given")
	case c.Key != "":
		if l.key, err = parseKey(c.Key); err != nil {
			complain("key", "%w", err)
		}
	default:
		data, err := secret.ReadPrivateFile(f.Resolve(c.KeyFile), 1<<10)
		if err == nil {
			l.key, err = parseKey(strings.TrimSpace(string(data)))
		}
		if err != nil {
			complain("key_file", "%w", err)
		}
	}
	for i, e := range c.Allow {
		at := tomlfile.Index("allow", i)
		if e.Rule == "" {
			complain(at+".rule", "is missing").WithHint("name the rule that a refusal names")
		}
		if e.Location == "" {
			complain(at+".location", "is missing").WithHint(`as a refusal names it, or "*" for any place`)
		}
		if !isDigest(e.Value) {
			// Not quoted: it may be the value itself, pasted.
			complain(at+".value", "is not "+digestPrefix+" and 64 hexadecimal digits").WithHint("bottle-pipelock scan --explain prints it; the value itself does not belong here")
		}
		n := entry{location: e.Location}
		if e.Host != "" {
			p, err := authority.ParsePattern(e.Host)
			if err != nil {
				complain(at+".host", "%w", err)
			}
			n.host = &p
		}
		k := e.Rule + "\x00" + strings.ToLower(e.Value)
		l.entries[k] = append(l.entries[k], n)
	}
	if err := tomlfile.Join(problems...); err != nil {
		return nil, err
	}
	return l, nil
}

func parseKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != KeySize {
		return nil, errors.New("want 64 hexadecimal digits, as openssl rand -hex 32 prints")
	}
	return key, nil
}

func isDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, digestPrefix)
	b, err := hex.DecodeString(digits)
	return ok && err == nil && len(b) == sha256.Size
}

// New returns an empty list with a fresh key.
func New() *List {
	l := &List{key: make([]byte, KeySize), entries: map[string][]entry{}}
	rand.Read(l.key) // never fails
	return l
}

// KeyLine is the line of a file that sets the list's key.
func (l *List) KeyLine() string { return fmt.Sprintf("key = %q\n", hex.EncodeToString(l.key)) }

// Digest returns how an entry names value: "hmac-sha256:" and 64 hexadecimal
// digits; "" of a nil List.
func (l *List) Digest(value []byte) string {
	if l == nil {
		return ""
	}
	mac := hmac.New(sha256.New, l.key)
	mac.Write(value)
	return digestPrefix + hex.EncodeToString(mac.Sum(nil))
}

// Knows reports whether any entry is for rule and the value with this digest.
func (l *List) Knows(rule, digest string) bool {
	return l != nil && digest != "" && len(l.entries[rule+"\x00"+digest]) > 0
}

// Allows reports whether an entry silences rule for the value with this digest
// at location in a request to host. The zero host is that of no request, which
// only entries for every host are for.
func (l *List) Allows(rule, location, digest string, host authority.Authority) bool {
	if !l.Knows(rule, digest) {
		return false
	}
	for _, e := range l.entries[rule+"\x00"+digest] {
		if !covers(e.location, location) {
			continue
		}
		if e.host == nil {
			return true
		}
		if !host.IsZero() {
			if _, ok := authority.NewSet(*e.host).Match(host); ok {
				return true
			}
		}
	}
	return false
}

// covers reports whether the location of an entry stands for a place: it is
// the place or the begin of its words, and [*] stands for any index.
func covers(pattern, place string) bool {
	if pattern == "*" {
		return true
	}
	for pattern != "" {
		if rest, ok := strings.CutPrefix(pattern, "[*]"); ok && strings.HasPrefix(place, "[") {
			end := strings.IndexByte(place, ']')
			if end < 2 || strings.Trim(place[1:end], "0123456789") != "" {
				return false
			}
			pattern, place = rest, place[end+1:]
			continue
		}
		if place == "" || pattern[0] != place[0] {
			return false
		}
		pattern, place = pattern[1:], place[1:]
	}
	return place == "" || strings.IndexByte(" .[,", place[0]) >= 0
}

// Entry returns the lines of a file that silence rule for the value with this
// digest at location, every index in it being any.
func Entry(rule, location, digest string) string {
	return fmt.Sprintf("[[allow]]\nrule = %s\nlocation = %s\nvalue = %q\n", quote(rule), quote(AnyIndex(location)), digest)
}

// quote writes a TOML string. Rule names and locations are printable.
func quote(s string) string {
	if !strings.ContainsAny(s, `"\`) {
		return `"` + s + `"`
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// AnyIndex returns location with [*] in the place of each index: conversations
// grow, and what stands at messages[3] now stands at messages[5] later.
func AnyIndex(location string) string {
	var b strings.Builder
	for location != "" {
		i := strings.IndexByte(location, '[')
		if i < 0 {
			break
		}
		b.WriteString(location[:i])
		location = location[i:]
		if end := strings.IndexByte(location, ']'); end > 1 && strings.Trim(location[1:end], "0123456789") == "" {
			b.WriteString("[*]")
			location = location[end+1:]
		} else {
			b.WriteByte('[')
			location = location[1:]
		}
	}
	return b.String() + location
}
