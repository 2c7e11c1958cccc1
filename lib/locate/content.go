package locate

import (
	"bytes"
	"mime"
	"strings"
)

// content follows a text of some type from its beginning, and knows where in it
// the next byte stands. Its memory does not grow with the text.
type content struct {
	kind  kind
	depth int // multipart bodies around it
	bom   int // how much of a byte order mark the text's beginning ends with
	json  jsonPath
	form  pairs
	parts *parts // nil until it is one
}

type kind uint8

const (
	unknown kind = iota // only white space has come of it
	shapeless
	jsonText
	form
	multipart
)

// begin makes c ready for a text of a type.
func (c *content) begin(contentType string, depth int) {
	c.kind, c.depth, c.bom = unknown, depth, 0
	if contentType == "" {
		return
	}
	media, params, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && strings.HasPrefix(media, "multipart/") && depth < mostNested:
		c.kind = multipart
		if c.parts == nil {
			c.parts = &parts{}
		}
		c.parts.begin(params["boundary"], depth)
	case media == "application/x-www-form-urlencoded":
		c.kind = form
		c.form.reset()
	case strings.HasSuffix(media, "json"):
		c.kind = jsonText
		c.json.reset()
	}
}

// walk takes the next bytes of the text.
func (c *content) walk(p []byte) {
	if c.kind == unknown {
		p = c.sniff(p)
	}
	switch c.kind {
	case jsonText:
		c.json.walk(p)
	case form:
		c.form.walk(p)
	case multipart:
		c.parts.walk(p)
	}
}

// sniff looks whether the text begins like JSON, and returns what it did not
// look at.
func (c *content) sniff(p []byte) []byte {
	const bom = "\ufeff"
	for i, b := range p {
		switch {
		case b == bom[c.bom]:
			c.bom = (c.bom + 1) % len(bom)
		case c.bom > 0:
			c.kind = shapeless
			return nil
		case b == ' ', b == '\t', b == '\r', b == '\n':
		case b == '{', b == '[':
			c.kind = jsonText
			c.json.reset()
			return p[i:]
		default:
			c.kind = shapeless
			return nil
		}
	}
	return nil
}

// done reports whether nothing that comes changes what is said.
func (c *content) done() bool {
	switch c.kind {
	case shapeless:
		return true
	case jsonText:
		return c.json.end != goesOn
	case multipart:
		return c.parts.delimiter == nil
	}
	return false
}

// where says where next stands, the bytes that follow what was taken, as far as
// they are asked about. c cannot be used afterwards.
func (c *content) where(next []byte, hides Hides) string {
	if c.kind == unknown {
		c.walk(next[:min(1, len(next))])
		next = nil
	}
	switch c.kind {
	case jsonText:
		return c.json.where(next, hides)
	case form:
		return "form field " + c.form.where(next, hides)
	case multipart:
		return c.parts.where(next, hides)
	}
	return ""
}

// clone returns a copy that shares nothing with c.
func (c *content) clone() *content {
	d := *c
	d.json.names = bytes.Clone(c.json.names)
	d.form.name = bytes.Clone(c.form.name)
	if c.parts != nil {
		p := *c.parts
		p.head = bytes.Clone(p.head)
		p.inner = *p.inner.clone()
		d.parts = &p
	}
	return &d
}
