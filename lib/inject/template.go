package inject

import (
	"errors"
	"fmt"
	"strings"

	"bottle/lib/credential"
	"bottle/lib/secret"
)

// tokenField is the name by which a template names the credential itself.
const tokenField = "token"

// template is the text of a value with places for fields of a credential:
// "Token {token}". {{ and }} stand for braces.
type template []segment

// segment is text, or the field that stands there.
type segment struct{ text, field string }

// bearer is the template of a scheme and a token.
func schemeTemplate(scheme string) template {
	return template{{text: scheme + " "}, {field: tokenField}}
}

// parseTemplate reads a template. Field names are lower-case letters, digits
// and _; the token may stand there once.
func parseTemplate(text string) (template, error) {
	var t template
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			t = append(t, segment{text: plain.String()})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c < 0x20 || c == 0x7f:
			return nil, errors.New("holds a line break or control character")
		case (c == '{' || c == '}') && i+1 < len(text) && text[i+1] == c:
			plain.WriteByte(c)
			i++
		case c == '}':
			return nil, errors.New(`has a } without its {; a brace itself is written }}`)
		case c == '{':
			name, _, ok := strings.Cut(text[i+1:], "}")
			if !ok {
				return nil, errors.New(`has a { without its }; a brace itself is written {{`)
			}
			if !isField(name) {
				return nil, fmt.Errorf(`{%s} is no field; a brace itself is written {{ or }}`, name)
			}
			if name == tokenField && t.has(tokenField) {
				return nil, errors.New("names {token} twice")
			}
			flush()
			t = append(t, segment{field: name})
			i += len(name) + 1
		default:
			plain.WriteByte(c)
		}
	}
	flush()
	if len(t) == 0 {
		return nil, errors.New("is empty")
	}
	return t, nil
}

func isField(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func (t template) has(field string) bool {
	for _, s := range t {
		if s.field == field {
			return true
		}
	}
	return false
}

// fields returns whether the template has fields at all; without, it is a
// constant that needs no source.
func (t template) constant() bool {
	for _, s := range t {
		if s.field != "" {
			return false
		}
	}
	return true
}

// expand puts the fields of st in. What they hold is not looked at again.
func (t template) expand(st credential.State) (string, error) {
	var b strings.Builder
	for _, s := range t {
		if s.field == "" {
			b.WriteString(s.text)
			continue
		}
		v, err := fieldOf(st, s.field)
		if err != nil {
			return "", err
		}
		b.WriteString(v.Expose())
	}
	return b.String(), nil
}

// around returns what stands before and after the token.
func (t template) around(st credential.State) (before, after string, err error) {
	for i, s := range t {
		if s.field == tokenField {
			if before, err = t[:i].expand(st); err == nil {
				after, err = t[i+1:].expand(st)
			}
			return before, after, err
		}
	}
	return "", "", errors.New("the template has no {token}")
}

func fieldOf(st credential.State, name string) (secret.Value, error) {
	v := st.Token
	if name != tokenField {
		v = st.Fields[name]
	}
	if v.IsZero() {
		return v, fmt.Errorf("the credential has no %s", name)
	}
	return v, nil
}
