package corpus

import (
	"fmt"
	"strings"
)

// Case is a request with its name, and what is in it.
type Case struct {
	Name    string
	Kind    string // planted: the class of the credential; harmless: what it is
	Where   string // planted: the place
	How     string // planted: the disguise, "as it is" for none
	Planted bool
	// Beyond marks an evasion that nobody claims to stop: it is shown with its
	// result, and not counted.
	Beyond bool
	// Carried are the pieces of text, as they stand in the request, that must
	// not all arrive.
	Carried []string
	Request Request
}

const (
	asItIs   = "as it is"
	inPieces = "in two pieces"
)

// fits reports whether the credential can stand in the place in the disguise.
func fits(c *credential, p *place, d *disguise) bool {
	written, lines, wide := plain, c.file, false
	if d != nil {
		written, wide = d.written, d.wide
		lines = d.lines
	}
	switch {
	case written != plain && written != p.syntax:
		return false
	case p.head && (lines || wide):
		return false
	case c.file && d != nil && strings.HasPrefix(d.name, "line breaks"):
		return false // it has its own
	case p.head && len(c.value) > 2000:
		return false
	case p.syntax == inURL && len(c.value) > 3000:
		return false
	case p.name == "gRPC message" && len(c.value) > 60_000:
		return false
	case p.name == "source code" && d == nil && strings.Contains(c.value, `"`):
		return false
	case p.name == "name of a header" && (d != nil || c.named || c.file || !isToken(c.value)):
		return false // only what a field may be called
	case p.name == "Kubernetes Secret" && (c.file || d != nil):
		return false // it is encoded already
	case (p.name == "name of a parameter" || p.name == "path" || p.name == "name in JSON" || p.name == "Authorization: Bearer") && c.named && d == nil:
		return false // nothing would say what it is
	}
	return true
}

// plant makes the case of a credential in a place, in a disguise or as it is.
func (m maker) plant(c credential, p *place, d *disguise) Case {
	how, text, written, name := asItIs, c.value, plain, c.name
	if d != nil {
		how = d.name
		if c.named { // what names it is hidden with it
			text = c.name + "=" + c.value
			name = "note"
		}
		text, written = d.do(m, text), d.written
	} else if c.file {
		name = "note"
	}
	said := p.say(text, written)
	return Case{
		Name: fmt.Sprintf("%s in %s, %s", c.class, p.name, how), Kind: c.class, Where: p.name, How: how, Planted: true,
		Beyond: d != nil && d.beyond, Carried: []string{said}, Request: p.put(m, name, said),
	}
}

// planted makes all cases with a secret in them: each class in several places,
// each place with several classes, each disguise with several of both.
func (m maker) planted() []Case {
	var cases []Case
	all := m.credentials()
	next := m.IntN(len(all))
	// another returns the next credential that can stand in p in the disguise d.
	another := func(p *place, d *disguise) credential {
		for {
			next++
			if c := all[next%len(all)]; fits(&c, p, d) && (d == nil || len(c.value) < 700) {
				return c
			}
		}
	}
	anywhere := m.IntN(len(places))
	for i := range all {
		n := 2
		if all[i].file {
			n = 5
		}
		for range n {
			for anywhere++; !fits(&all[i], &places[anywhere%len(places)], nil); anywhere++ {
			}
			cases = append(cases, m.plant(all[i], &places[anywhere%len(places)], nil))
		}
	}
	for i := range places {
		for range 3 {
			p := &places[i]
			cases = append(cases, m.plant(another(p, nil), p, nil))
		}
	}
	for i := range disguises {
		d := &disguises[i]
		n := 8
		if d.beyond {
			n = 3
		}
		for range n {
			for anywhere++; ; anywhere++ {
				p := &places[anywhere%len(places)]
				c := all[(next+1)%len(all)]
				if !fits(&c, p, d) || p.name == "end of a body over 1 MiB" {
					next++ // try the next credential with the next place
					continue
				}
				cases = append(cases, m.plant(another(p, d), p, d))
				break
			}
		}
	}
	cases = append(cases, m.split(all)...)
	cases = append(cases, m.inHostNames(all)...)
	return numbered(cases)
}

// numbered makes the names unique.
func numbered(cases []Case) []Case {
	seen := map[string]int{}
	for i := range cases {
		name := cases[i].Name
		if seen[name]++; seen[name] > 1 {
			cases[i].Name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
	}
	return cases
}

// split makes the cases in which a secret is in two pieces that follow each
// other.
func (m maker) split(all []credential) []Case {
	ways := []struct {
		name string
		put  func(a, b string) Request
	}{
		{"two parameters", func(a, b string) Request { return get("/v1/items?a=" + a + "&b=" + b) }},
		{"two parameters of one name", func(a, b string) Request { return get("/v1/items?part=" + a + "&part=" + b) }},
		{"two form fields", func(a, b string) Request {
			return post("/login", "application/x-www-form-urlencoded", "first="+a+"&second="+b)
		}},
		{"two strings of a JSON array", func(a, b string) Request { return post("/v1/items", jsonType, `{"parts":["`+a+`","`+b+`"]}`) }},
		{"two strings of a JSON object", func(a, b string) Request {
			return post("/v1/items", jsonType, `{"first":"`+a+`","second":"`+b+`","n":2}`)
		}},
		{"two messages of an LLM turn", func(a, b string) Request {
			return post("/v1/messages", jsonType, `{"model":"m","messages":[{"role":"user","content":"`+a+`"},{"role":"user","content":"`+b+`"}]}`)
		}},
		{"two joined strings in code", func(a, b string) Request {
			return post("/files/a.py", "text/x-python", "import os\ntoken = \""+a+"\" + \""+b+"\"\nprint(token)\n")
		}},
		{"two segments of a path", func(a, b string) Request { return get("/x/" + a + "/" + b) }},
	}
	var cases []Case
	at := m.IntN(len(all))
	for _, w := range ways {
		for n := 0; n < 4; at++ {
			c := all[at%len(all)]
			if c.named || c.file || len(c.value) > 400 || strings.ContainsAny(c.value, "/+=:@%&#?$~ ") {
				continue
			}
			n++
			cut := len(c.value)/3 + m.IntN(len(c.value)/3)
			cases = append(cases, Case{Name: c.class + " split over " + w.name, Kind: c.class, Where: w.name, How: inPieces, Planted: true,
				Carried: []string{c.value[:cut], c.value[cut:]}, Request: w.put(c.value[:cut], c.value[cut:])})
		}
	}
	// And what nobody joins.
	token := m.withCRC("ghp")
	halves := []string{token[:20], token[20:]}
	for _, w := range []struct {
		name   string
		pieces []string
		r      Request
	}{
		{"two headers", halves, get("/v1/items", Field{"X-One", token[:20]}, Field{"X-Two", token[20:]})},
		{"two parameters, the second half first", halves, get("/v1/items?a=" + token[20:] + "&b=" + token[:20])},
		{"two WebSocket messages", halves, socket(Message{Data: []byte(token[:20])}, Message{Data: []byte(token[20:])})},
		{"two lines, every second letter each", []string{everySecond(token, 0), everySecond(token, 1)}, post("/x", "text/plain", everySecond(token, 0)+"\n"+everySecond(token, 1))},
	} {
		cases = append(cases, Case{Name: "GitHub personal token split over " + w.name, Kind: "GitHub personal token", Where: w.name, How: inPieces, Planted: true, Beyond: true, Carried: w.pieces, Request: w.r})
	}
	return cases
}

func everySecond(s string, from int) string {
	var b strings.Builder
	for i := from; i < len(s); i += 2 {
		b.WriteByte(s[i])
	}
	return b.String()
}

// inHostNames makes the cases in which the name that is connected to holds the
// secret: what a resolver would carry outside.
func (m maker) inHostNames(all []credential) []Case {
	ways := []struct {
		name string
		do   func(s string) string
	}{
		{"as it is", func(s string) string { return s }},
		{"hexadecimal", func(s string) string { return disguiseNamed("hexadecimal").do(m, s) }},
		{"base32", func(s string) string {
			return strings.ToLower(strings.TrimRight(disguiseNamed("base32").do(m, s), "="))
		}},
	}
	var cases []Case
	at := m.IntN(len(all))
	for _, w := range ways {
		for n := 0; n < 4; at++ {
			c := all[at%len(all)]
			if c.named || c.file || len(c.value) > 100 || w.name == asItIs && strings.Trim(c.value, alphabets['l']+"-") != "" {
				continue
			}
			n++
			name := wrap(w.do(c.value), 60, ".") + "." + Suffix
			r := get("/")
			r.Host = name
			cases = append(cases, Case{Name: c.class + " in a host name, " + w.name, Kind: c.class, Where: "host name", How: w.name, Planted: true, Carried: []string{name}, Request: r})
		}
	}
	return cases
}

func disguiseNamed(name string) *disguise {
	for i := range disguises {
		if disguises[i].name == name {
			return &disguises[i]
		}
	}
	panic("corpus: no disguise " + name)
}
