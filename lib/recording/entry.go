package recording

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/martian/v3/har"

	"bottle/lib/unecho"
)

// entry makes the HAR entry of an exchange, masked.
func (e *exchange) entry(masks *masks) *har.Entry {
	m := masks.of(e)
	scheme := e.scheme
	if scheme == "" {
		scheme = "http"
	}
	path, query, _ := strings.Cut(e.uri, "?")
	target := scheme + "://" + m.text(e.host) + m.text(path)
	params := []har.QueryString{}
	if query != "" {
		query = m.query(query)
		target += "?" + query
		for pair := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			params = append(params, har.QueryString{Name: unescaped(name), Value: unescaped(value)})
		}
	}
	out := &har.Entry{
		ID: e.x.ID, StartedDateTime: e.start.UTC(), Time: e.whole.Milliseconds(), Cache: &har.Cache{},
		Timings: &har.Timings{Wait: e.wait.Milliseconds(), Receive: max(0, e.whole-e.wait).Milliseconds()},
		Request: &har.Request{
			Method: m.text(e.method), URL: target, HTTPVersion: e.proto, Cookies: cookies(m, e.header["Cookie"]), Headers: headers(m, e.header),
			QueryString: params, HeadersSize: -1, BodySize: e.sent.size,
		},
		Response: &har.Response{
			Status: e.status, StatusText: http.StatusText(e.status), HTTPVersion: e.proto, Cookies: setCookies(m, e.answer["Set-Cookie"]),
			Headers: headers(m, e.answer), RedirectURL: m.text(e.answer.Get("Location")), HeadersSize: -1, BodySize: e.answered.size,
			Content: &har.Content{Size: e.answered.size, MimeType: m.text(e.answer.Get("Content-Type"))},
		},
	}
	if e.sent.size > 0 {
		text := m.body(e.header, &e.sent)
		out.Request.PostData = &har.PostData{MimeType: m.text(e.header.Get("Content-Type")), Params: []har.Param{}, Text: string(text)}
	}
	if e.answered.size > 0 {
		c := out.Response.Content
		if c.Text = m.body(e.answer, &e.answered); !utf8.Valid(c.Text) {
			c.Encoding = "base64"
		}
	}
	return out
}

func unescaped(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	return s
}

func headers(m *mask, h http.Header) []har.Header {
	out := []har.Header{}
	for name, values := range h {
		for _, v := range values {
			out = append(out, har.Header{Name: m.text(name), Value: m.header(name, v)})
		}
	}
	slices.SortStableFunc(out, func(a, b har.Header) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func cookies(m *mask, lines []string) []har.Cookie {
	out := []har.Cookie{}
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok {
				out = append(out, har.Cookie{Name: m.text(name), Value: fingerprint(value)})
			}
		}
	}
	return out
}

func setCookies(m *mask, lines []string) []har.Cookie {
	out := []har.Cookie{}
	for _, line := range lines {
		pair, _, _ := strings.Cut(line, ";")
		if name, value, ok := strings.Cut(pair, "="); ok {
			out = append(out, har.Cookie{Name: m.text(name), Value: fingerprint(value)})
		}
	}
	return out
}

// body returns what of a body may be shown: decoded and masked. What cannot be
// decoded cannot be searched, and is left out.
func (m *mask) body(h http.Header, p *piece) []byte {
	r, err := unecho.Decode(h["Content-Encoding"], bytes.NewReader(p.data))
	if err != nil {
		return []byte("[not recorded: its content coding is not known]")
	}
	// What is cut short ends in an error, after what could be decoded.
	text, rerr := io.ReadAll(io.LimitReader(r, int64(p.limit)+1))
	cut := p.isCut() || rerr != nil
	if len(text) > p.limit {
		text, cut = text[:p.limit], true
	}
	return m.bytes(text, strings.Contains(h.Get("Content-Type"), "form-urlencoded"), cut)
}
