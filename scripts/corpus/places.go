package corpus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Hosts of the corpus: the one that is asked, and the suffix under which the
// cases in host names stand.
const (
	Host   = "api.corpus.test"
	Suffix = "drop.corpus.test"
)

// place is a part of a request that can hold a secret.
type place struct {
	name   string
	syntax syntax
	head   bool // one line of ASCII
	put    func(m maker, name, text string) Request
}

// say writes text in the syntax of the place, unless it is written so already.
func (p *place) say(text string, written syntax) string {
	if written == p.syntax {
		switch p.syntax {
		case inURL, inJSON:
			return text
		}
	}
	switch p.syntax {
	case inURL:
		if p.name == "path" || p.name == "Cookie" { // where + is no space
			return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
		}
		return url.QueryEscape(text)
	case inJSON:
		return jsonText(text)
	}
	return text
}

// jsonText is text as it stands between the quotes of a JSON string.
func jsonText(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // a string has a form in JSON
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

func get(target string, header ...Field) Request {
	return Request{Method: "GET", Host: Host, Target: target, Header: append([]Field{{"Accept", "*/*"}}, header...)}
}

func post(target, contentType, body string, more ...Field) Request {
	return Request{Method: "POST", Host: Host, Target: target, Header: append([]Field{{"Content-Type", contentType}}, more...), Body: []byte(body)}
}

const jsonType = "application/json"

func variable(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

func fieldName(name string) string {
	return strings.ToLower(strings.Trim(strings.NewReplacer(".", "_", "-", "_").Replace(name), "_"))
}

func headerName(name string) string {
	return "X-" + strings.ReplaceAll(fieldName(name), "_", "-")
}

// parts are the places of a request, and what stands there.
var parts = []place{
	{"path", inURL, false, func(m maker, _, text string) Request { return get("/hooks/" + text + "/done") }},
	{"query", inURL, false, func(m maker, name, text string) Request {
		return get("/v1/items?page=2&" + fieldName(name) + "=" + text + "&sort=asc")
	}},
	{"name of a parameter", inURL, false, func(m maker, _, text string) Request { return get("/v1/items?" + text + "=1") }},
	{"header", plain, true, func(m maker, name, text string) Request {
		return get("/v1/items", Field{headerName(name), text})
	}},
	{"Authorization: Bearer", plain, true, func(m maker, _, text string) Request {
		return get("/v1/items", Field{"Authorization", "Bearer " + text})
	}},
	{"Cookie", inURL, false, func(m maker, name, text string) Request {
		return get("/v1/items", Field{"Cookie", "_ga=GA1.2." + m.text(digits, 9) + "; " + fieldName(name) + "=" + text + "; theme=dark"})
	}},
	{"User-Agent", plain, true, func(m maker, name, text string) Request {
		return get("/v1/items", Field{"User-Agent", "agent/1.4 (linux; " + fieldName(name) + "=" + text + ")"})
	}},
	{"Referer", inURL, false, func(m maker, name, text string) Request {
		return get("/v1/items", Field{"Referer", "https://" + Host + "/page?" + fieldName(name) + "=" + text})
	}},
	{"trailer", plain, true, func(m maker, name, text string) Request {
		r := post("/v1/items", jsonType, `{"ok":true}`)
		r.Chunked, r.Trailer = true, []Field{{headerName(name), text}}
		return r
	}},
	{"JSON", inJSON, false, func(m maker, name, text string) Request {
		return post("/v1/items", jsonType, `{"id":"`+m.uuid()+`","`+fieldName(name)+`":"`+text+`","active":true}`)
	}},
	{"JSON, deep", inJSON, false, func(m maker, name, text string) Request {
		return post("/v1/items", jsonType, `{"data":{"items":[{"id":1},{"id":2,"meta":{"env":[{"key":"A","value":"b"},{"`+fieldName(name)+`":"`+text+`"}]}}]}}`)
	}},
	{"name in JSON", inJSON, false, func(m maker, _, text string) Request {
		return post("/v1/items", jsonType, `{"counts":{"`+text+`":1}}`)
	}},
	{"LLM turn", inJSON, false, func(m maker, name, text string) Request {
		return post("/v1/messages", jsonType, m.turn(variable(name)+"="+text, 4000))
	}},
	{"tool output in an LLM turn", inJSON, false, func(m maker, name, text string) Request {
		return post("/v1/responses", jsonType, m.responses(`$ env\nHOME=/root\n`+variable(name)+"="+text+`\nPATH=/usr/bin\n`, 20_000))
	}},
	{"form field", inURL, false, func(m maker, name, text string) Request {
		return post("/login", "application/x-www-form-urlencoded", "user=me%40acme.example&"+fieldName(name)+"="+text+"&remember=on")
	}},
	{"multipart file", plain, false, func(m maker, name, text string) Request {
		return m.multipart("file", name, variable(name)+"="+text+"\n")
	}},
	{"multipart field", plain, false, func(m maker, name, text string) Request { return m.multipart(fieldName(name), "", text) }},
	{"plain text", plain, false, func(m maker, name, text string) Request {
		return post("/paste", "text/plain; charset=utf-8", m.prose(5)+"\n\nIt's the old one:\n\n  "+variable(name)+": "+text+"\n\nPlease don't share it. "+m.prose(3))
	}},
	{"source code", plain, false, func(m maker, name, text string) Request {
		return post("/files/app.py", "text/x-python", m.python(10)+variable(name)+" = \"\"\"\\\n"+text+"\"\"\"\n\n"+m.python(5))
	}},
	{"source code, one line", plain, true, func(m maker, name, text string) Request {
		return post("/files/client.go", "text/plain", m.golang(8)+"const "+fieldName(name)+" = \""+text+"\" // TODO: move to the environment\n"+m.golang(3))
	}},
	{".env", plain, true, func(m maker, name, text string) Request {
		return post("/files/.env", "text/plain", "NODE_ENV=production\nPORT=8080\n"+variable(name)+"="+text+"\nLOG_LEVEL=info\n")
	}},
	{"YAML", plain, true, func(m maker, name, text string) Request {
		return post("/files/values.yaml", "application/yaml", "replicas: 3\nenv:\n  - name: "+variable(name)+"\n    value: "+text+"\n  - name: MODE\n    value: live\n")
	}},
	{"XML", plain, true, func(m maker, name, text string) Request {
		return post("/soap", "text/xml", `<?xml version="1.0"?><env><head/><`+fieldName(name)+`>`+text+`</`+fieldName(name)+`></env>`)
	}},
	{"diff", plain, true, func(m maker, name, text string) Request {
		return post("/patch", "text/x-diff", "diff --git a/deploy.sh b/deploy.sh\nindex "+m.hex(7)+".."+m.hex(7)+" 100755\n--- a/deploy.sh\n+++ b/deploy.sh\n@@ -1,3 +1,4 @@\n #!/bin/sh\n+export "+variable(name)+"="+text+"\n set -e\n")
	}},
	{"log line", plain, true, func(m maker, name, text string) Request {
		return post("/ingest", "application/x-ndjson", m.accessLog(20)+`{"level":"debug","msg":"calling upstream","`+fieldName(name)+`":"`+text+`"}`+"\n"+m.accessLog(5))
	}},
	{"WebSocket text", inJSON, false, func(m maker, name, text string) Request {
		return socket(Message{Data: []byte(m.responses(variable(name)+"="+text, 40_000))})
	}},
	{"WebSocket, fragmented", inJSON, false, func(m maker, name, text string) Request {
		data := `{"type":"event","` + fieldName(name) + `":"` + text + `"}`
		return socket(Message{Data: []byte(data), Frames: min(3+m.IntN(20), len(data))})
	}},
	{"WebSocket, permessage-deflate", inJSON, false, func(m maker, name, text string) Request {
		return socket(Message{Data: []byte(`{"type":"warm"}`), Deflate: true}, Message{Data: []byte(m.responses(variable(name)+"="+text, 40_000)), Deflate: true, Frames: 1 + m.IntN(3)})
	}},
	{"WebSocket, binary", plain, false, func(m maker, name, text string) Request {
		return socket(Message{Data: m.messagePack(fieldName(name), text), Binary: true})
	}},
	{"gzip body", inJSON, false, codedPlace("gzip")},
	{"deflate body", inJSON, false, codedPlace("deflate")},
	{"br body", inJSON, false, codedPlace("br")},
	{"zstd body", inJSON, false, codedPlace("zstd")},
	{"chunked body", inJSON, false, func(m maker, name, text string) Request {
		r := post("/v1/responses", jsonType, m.responses(variable(name)+"="+text, 60_000))
		r.Chunked = true
		return r
	}},
	{"end of a body over 1 MiB", plain, false, func(m maker, name, text string) Request {
		return post("/upload", "text/plain", strings.Repeat(m.accessLog(1_000), 10)+variable(name)+"="+text+"\n")
	}},
	{"after binary data", plain, false, func(m maker, name, text string) Request {
		return post("/upload", "application/octet-stream", string(m.bytes(5000))+"\n"+variable(name)+"="+text+"\n"+string(m.bytes(500)))
	}},
	{"GraphQL", inJSON, false, func(m maker, name, text string) Request {
		return post("/graphql", jsonType, `{"query":"mutation($i:In!){save(input:$i){id}}","variables":{"i":{"`+fieldName(name)+`":"`+text+`"}}}`)
	}},
	{"gRPC message", plain, false, func(m maker, name, text string) Request {
		field := append([]byte{0x0a, byte(len(name))}, name...)
		field = append(append(field, 0x12), varint(len(text))...)
		message := append(field, text...)
		body := append([]byte{0, 0, byte(len(message) >> 16), byte(len(message) >> 8), byte(len(message))}, message...)
		return post("/acme.v1.Store/Put", "application/grpc", string(body))
	}},
}

func varint(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// messagePack is a map of MessagePack with text in it, behind some bytes.
func (m maker) messagePack(name, text string) []byte {
	b := append([]byte{0x83, 0xa4}, "blob"...)
	b = append(append(b, 0xc5, 1, 0x2c), m.bytes(300)...)
	b = append(append(b, 0xa0|byte(len(name)&31)), name...)
	switch n := len(text); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 256:
		b = append(b, 0xd9, byte(n))
	default:
		b = append(b, 0xda, byte(n>>8), byte(n))
	}
	return append(append(append(b, text...), 0xa2), "ok\xc3"...)
}

func codedPlace(coding string) func(m maker, name, text string) Request {
	return func(m maker, name, text string) Request {
		r := post("/v1/responses", jsonType, m.responses(variable(name)+"="+text, 30_000))
		r.Coding = coding
		return r
	}
}

func socket(messages ...Message) Request {
	return Request{Method: "GET", Host: Host, Target: "/v1/realtime", Messages: messages}
}

func (m maker) multipart(field, file, text string) Request {
	boundary := "----formdata-" + m.text(alnums, 16)
	var b strings.Builder
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"comment\"\r\n\r\n%s\r\n", boundary, m.sentence())
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", boundary, field)
	if file != "" {
		fmt.Fprintf(&b, "; filename=\"%s\"\r\nContent-Type: application/octet-stream", file)
	}
	fmt.Fprintf(&b, "\r\n\r\n%s\r\n--%s--\r\n", text, boundary)
	return post("/upload", "multipart/form-data; boundary="+boundary, b.String())
}
