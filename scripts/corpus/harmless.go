package corpus

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
)

// harmless makes the cases with no secret in them.
func (m maker) harmless() []Case {
	var cases []Case
	add := func(kind string, r Request) { cases = append(cases, Case{Name: kind, Kind: kind, Request: r}) }
	for i := range 8 {
		m.pictures(add)
		m.turns(add)
		m.documents(add)
		m.downloads(add, i)
		m.machines(add)
		m.names(add)
	}
	return numbered(cases)
}

type adder = func(kind string, r Request)

// pictures are what an agent that looks at a screen sends.
func (m maker) pictures(add adder) {
	png, jpeg := m.png(), m.jpeg()
	add("PNG screenshot, data URL, Responses API", post("/v1/responses", jsonType, object(obj{"model": "gpt-5", "input": []obj{{"role": "user", "content": []obj{
		{"type": "input_text", "text": m.sentence()}, {"type": "input_image", "image_url": "data:image/png;base64," + std64(png)}}}}})))
	add("JPEG screenshot, base64, Messages API", post("/v1/messages", jsonType, object(obj{"model": "claude", "messages": []obj{{"role": "user", "content": []obj{
		{"type": "image", "source": obj{"type": "base64", "media_type": "image/jpeg", "data": std64(jpeg)}}, {"type": "text", "text": m.sentence()}}}}})))
	add("JPEG in base64url", post("/v1/images:annotate", jsonType, object(obj{"requests": []obj{{"image": obj{"content": base64.URLEncoding.EncodeToString(jpeg)}}}})))
	add("PNG file, multipart", m.multipart("image", "shot.png", string(png)))
	add("JPEG file, PUT", Request{Method: "PUT", Host: Host, Target: "/b/" + m.uuid() + ".jpg", Header: []Field{{"Content-Type", "image/jpeg"}}, Body: jpeg})
	add("PNG in a WebSocket message", socket(Message{Data: []byte(object(obj{"type": "screenshot", "data": std64(png)})), Frames: 3}))
	add("JPEG in a mail, lines of 76", post("/send", "message/rfc822", "Subject: "+m.word()+"\r\nMIME-Version: 1.0\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n"+wrap(std64(jpeg), 76, "\r\n")+"\r\n"))
	add("notebook with a picture", post("/api/contents/a.ipynb", jsonType, object(obj{"cells": []obj{{"cell_type": "code", "source": []string{"import os\n", "plot(" + m.word() + ")"}, "outputs": []obj{{"data": obj{"image/png": wrap(std64(png), 76, "\n")}}}}}, "nbformat": 4})))
}

// turns are conversations with a model: code, tool output, talk of tokens.
func (m maker) turns(add adder) {
	add("LLM turn", post("/v1/messages", jsonType, m.turn(m.word(), 40_000)))
	add("Codex turn, zstd", func() Request {
		r := post("/backend-api/codex/responses", jsonType, m.responses(m.word(), 50_000))
		r.Coding = "zstd"
		return r
	}())
	add("Codex turn, WebSocket", socket(Message{Data: []byte(m.responses(m.word(), 50_000)), Deflate: true}))
	add("LLM turn, gzip", func() Request {
		r := post("/v1/messages", jsonType, m.turn(m.word(), 60_000))
		r.Coding = "gzip"
		return r
	}())
	add("LLM turn, br", func() Request {
		r := post("/v1/messages", jsonType, m.turn(m.word(), 60_000))
		r.Coding = "br"
		return r
	}())
	add("LLM turn about tokens", post("/v1/messages", jsonType, m.turn(jsonText(m.docs()), 5_000)))
	add("tool output: git log", post("/v1/responses", jsonType, m.responses(jsonText(m.gitLog(60)), 3_000)))
	add("tool output: test run", post("/v1/responses", jsonType, m.responses(jsonText(m.testRun(80)), 3_000)))
	add("tool output: minified code", post("/v1/responses", jsonType, m.responses(jsonText(m.minified(120)), 3_000)))
	add("tool output: a file in base64", post("/v1/responses", jsonType, m.responses(b64(m.golang(200)), 3_000)))
	add("tool output: hex dump", post("/v1/responses", jsonType, m.responses(jsonText(m.hexDump(100)), 3_000)))
	add("completion in another language", post("/v1/completions", jsonType, object(obj{"prompt": m.foreign(200)})))
	add("embeddings request", post("/v1/embeddings", jsonType, object(obj{"model": "text-embedding-3-small", "input": []string{m.prose(30), m.golang(60), m.prose(10)}})))
}

// documents are files of projects.
func (m maker) documents(add adder) {
	put := func(kind, name, contentType, text string) { add(kind, post("/files/"+name, contentType, text)) }
	put("package-lock.json", "package-lock.json", jsonType, m.packageLock(250))
	put("yarn.lock", "yarn.lock", "text/plain", m.repeat(200, func(i int) string {
		return fmt.Sprintf("\"@scope/%s-%d@^1.%d.0\":\n  version \"1.%d.3\"\n  resolved \"https://registry.example.org/%[1]s/-/x-1.%[3]d.3.tgz#%[5]s\"\n  integrity sha512-%[6]s==\n\n", m.word(), i, m.IntN(20), m.IntN(20), m.hex(40), m.text(alphabets['s'], 86))
	}))
	put("go.sum", "go.sum", "text/plain", m.repeat(300, func(i int) string {
		return fmt.Sprintf("github.com/acme/%s v1.%d.%d h1:%s=\ngithub.com/acme/%[1]s v1.%[2]d.%[3]d/go.mod h1:%s=\n", m.word(), m.IntN(30), i, m.text(alphabets['s'], 43), m.text(alphabets['s'], 43))
	}))
	put("Cargo.lock", "Cargo.lock", "text/plain", m.repeat(200, func(i int) string {
		return fmt.Sprintf("[[package]]\nname = \"%s-%d\"\nversion = \"0.%d.1\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"%s\"\n\n", m.word(), i, m.IntN(20), m.hex(64))
	}))
	put("poetry.lock", "poetry.lock", "text/plain", m.repeat(150, func(i int) string {
		return fmt.Sprintf("    {file = \"%s-%d-py3-none-any.whl\", hash = \"sha256:%s\"},\n", m.word(), i, m.hex(64))
	}))
	put("minified JavaScript", "app.min.js", "text/javascript", m.minified(900))
	put("source map", "app.js.map", jsonType, m.sourceMap(15_000))
	put("inline source map", "app.css", "text/css", m.css(40)+"/*# sourceMappingURL=data:application/json;base64,"+b64(m.sourceMap(3_000))+" */\n")
	put("style sheet with a font", "fonts.css", "text/css", "@font-face{font-family:x;src:url(data:font/woff2;base64,"+std64(append([]byte("wOF2\x00\x01\x00\x00"), m.bytes(40_000)...))+") format('woff2')}\n"+m.css(60))
	put("SVG", "icon.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">`+m.repeat(60, func(int) string { return `<path d="` + m.svgPath(80) + `" fill="#` + m.hex(6) + `"/>` })+`</svg>`)
	put("CSV", "export.csv", "text/csv", "id,created,amount,email,ref\n"+m.repeat(800, func(i int) string {
		return fmt.Sprintf("%s,2026-11-%02dT10:00:00Z,%d.%02d,user%d@acme.example,%s\n", m.uuid(), 1+i%28, m.IntN(9000), m.IntN(100), i, m.form("[c12]"))
	}))
	put("Go source", "server.go", "text/plain", m.golang(1500))
	put("documentation of tokens", "README.md", "text/markdown", m.docs())
	put(".env.example", ".env.example", "text/plain", m.envExample())
	put("rules of a secret scanner", "rules.toml", "text/plain", m.scannerRules())
	put("test certificates", "chain.pem", "application/x-pem-file", m.repeat(4, func(int) string { return m.certificate() }))
	put("known hosts", "known_hosts", "text/plain", m.repeat(40, func(i int) string {
		return fmt.Sprintf("host%d.acme-internal.net ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%s\n|1|%s=|%s= ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ%s\n", i, m.text(alphabets['s'], 43), m.text(alphabets['s'], 27), m.text(alphabets['s'], 27), m.text(alphabets['s'], 520))
	}))
	put("PGP public key and signature", "KEYS", "text/plain", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBG"+m.repeat(20, func(int) string { return m.text(alphabets['s'], 64) + "\n" })+"=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n-----BEGIN PGP SIGNATURE-----\n\niQIzBAABCgAdFiEE"+m.repeat(8, func(int) string { return m.text(alphabets['s'], 64) + "\n" })+"=efgh\n-----END PGP SIGNATURE-----\n")
	put("public keys of an issuer (JWKS)", "jwks.json", jsonType, object(obj{"keys": []obj{{"kty": "RSA", "use": "sig", "kid": m.hex(40), "e": "AQAB", "n": m.form("[u342]")}, {"kty": "EC", "crv": "P-256", "kid": m.uuid(), "x": m.form("[u43]"), "y": m.form("[u43]")}}}))
	put("Kubernetes manifest", "deploy.yaml", "application/yaml", m.manifest())
	put("Terraform", "main.tf", "text/plain", "variable \"db_password\" {\n  type      = string\n  sensitive = true\n}\n\nresource \"aws_instance\" \"web\" {\n  ami           = \"ami-"+m.hex(17)+"\"\n  subnet_id     = \"subnet-"+m.hex(17)+"\"\n  user_data     = base64encode(local."+m.word()+")\n  password      = var.db_password\n}\n")
	put("HTML with integrity hashes", "index.html", "text/html", m.repeat(20, func(i int) string {
		return fmt.Sprintf("<script src=\"/assets/%s-%s.js\" integrity=\"sha384-%s\" crossorigin=\"anonymous\"></script>\n<p>It&#39;s &quot;%s&quot; &amp; &lt;more&gt; &#x27;text&#x27;</p>\n", m.word(), m.form("[a8]"), m.text(alphabets['s'], 64), m.sentence())
	}))
	put("translations", "de.json", jsonType, "{"+m.repeat(100, func(i int) string {
		return fmt.Sprintf("\"key.%d.%s\":\"Gr\\u00f6\\u00dfe der \\u201e%s\\u201c ge\\u00e4ndert \\u2013 bitte pr\\u00fcfen\",", i, m.word(), m.word())
	})+"\"end\":\"\"}")
	put("SQL", "dump.sql", "application/sql", m.repeat(200, func(i int) string {
		return fmt.Sprintf("INSERT INTO events VALUES (%d, '%s', '\\\\x%s', '%s', NOW());\n", i, m.uuid(), m.hex(64), m.word())
	}))
}

// downloads and uploads of developers' tools.
func (m maker) downloads(add adder, round int) {
	repo, sha := "/acme/"+m.word()+".git", m.hex(40)
	push := fmt.Sprintf("00a8%s %s refs/heads/%s\x00 report-status-v2 side-band-64k object-format=sha1 agent=git/2.47\n0000", sha, m.hex(40), m.word())
	add("git push", post(repo+"/git-receive-pack", "application/x-git-receive-pack-request", push+m.gitPack(30)))
	add("git fetch, gzip", func() Request {
		r := post(repo+"/git-upload-pack", "application/x-git-upload-pack-request", "0011command=fetch001bagent=git/2.47-linux0001000fno-progress"+m.repeat(60, func(int) string { return "0032have " + m.hex(40) + "\n" })+"0009done\n0000")
		r.Coding = "gzip"
		return r
	}())
	add("npm audit, gzip", func() Request {
		r := post("/-/npm/v1/security/audits/quick", jsonType, m.packageLock(120))
		r.Coding = "gzip"
		return r
	}())
	add("package file", get(fmt.Sprintf("/packages/%s/%s/%s/%s-1.%d.0-py3-none-any.whl", m.hex(2), m.hex(2), m.hex(60), m.word(), round)))
	add("image layer", get("/v2/library/"+m.word()+"/blobs/sha256:"+m.hex(64), Field{"Accept", "application/vnd.oci.image.layer.v1.tar+gzip"}))
	add("image layer, upload", Request{Method: "PUT", Host: Host, Target: "/v2/acme/app/blobs/uploads/" + m.uuid() + "?_state=" + m.form("[u180]") + "&digest=sha256%3A" + m.hex(64), Header: []Field{{"Content-Type", "application/octet-stream"}}, Body: gzipped([]byte(m.golang(400))), Chunked: true})
	add("conditional request", get("/app/"+m.form("[a20]")+"/chunk-"+m.form("[a8]")+".js", Field{"If-None-Match", `W/"` + m.form("[u27]") + `"`}, Field{"Traceparent", "00-" + m.hex(32) + "-" + m.hex(16) + "-01"}))
	add("browser's cookies", get("/", Field{"Cookie", "_ga=GA1.2." + m.text(digits, 10) + "." + m.text(digits, 10) + "; __cf_bm=" + m.form("[u43]-17640[d5]-1.0.1.1-[u160]") + "; cf_clearance=" + m.form("[u43]-17640[d5]-1.2.1.1-[u200]") + "; csrftoken=" + m.form("[a32]") + "; _gh_sess=" + url.QueryEscape(m.form("[s200]")+"--"+m.form("[s16]")+"--"+m.form("[s22]==")) + "; consent=%7B%22ad%22%3Afalse%7D"},
		Field{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"}, Field{"Sec-Ch-Ua", `"Chromium";v="141", "Not?A_Brand";v="8"`}))
	add("search", get("/search?q="+url.QueryEscape(`how to rotate a GitHub token "ghp_" `+m.sentence())+"&hl=en&client=firefox-b-d&ei="+m.form("[u22]")+"&ved=0ahUKEwj"+m.form("[u50]")))
	add("link with tracking", get("/landing?utm_source=news&gclid=Cj0KCQiA"+m.form("[u84]")+"&fbclid=IwAR"+m.form("[u57]")+"&redirect="+url.QueryEscape("https://www.acme.example/a?b=c&d="+m.uuid())))
	add("object in a store", Request{Method: "PUT", Host: Host, Target: "/bucket/" + m.uuid() + "/part-0001?partNumber=1&uploadId=" + m.form("[u100]"), Header: []Field{{"X-Amz-Content-Sha256", m.hex(64)}, {"Content-Md5", m.text(alphabets['s'], 22) + "=="}}, Body: m.bytes(60_000)})
	add("archive, multipart", m.multipart("archive", "src.tar.gz", string(gzipped([]byte(m.golang(600)+m.prose(100))))))
	add("WebAssembly", Request{Method: "PUT", Host: Host, Target: "/a.wasm", Header: []Field{{"Content-Type", "application/wasm"}}, Body: append([]byte("\x00asm\x01\x00\x00\x00"), m.wasm(80_000)...)})
}

// machines are what programs send each other.
func (m maker) machines(add adder) {
	add("metrics, protobuf, gzip", func() Request {
		r := post("/v1/metrics", "application/x-protobuf", string(m.protobuf(300)))
		r.Coding = "gzip"
		return r
	}())
	add("traces, JSON", post("/v1/traces", jsonType, object(obj{"resourceSpans": []obj{{"scopeSpans": []obj{{"spans": m.spans(120)}}}}})))
	add("gRPC", post("/acme.v1.Store/Put", "application/grpc", string(append([]byte{0, 0, 0, 0x30, 0}, m.protobuf(200)[:0x3000]...))))
	add("access log", post("/ingest", "text/plain", m.accessLog(1500)))
	add("JSON log", post("/ingest", "application/x-ndjson", m.repeat(400, func(i int) string {
		return object(obj{"ts": 1764000000 + i, "level": "info", "trace_id": m.hex(32), "span_id": m.hex(16), "msg": m.sentence(), "token_count": m.IntN(9000), "secret_version": m.uuid()}) + "\n"
	})))
	add("form of a browser", post("/submit", "application/x-www-form-urlencoded", m.repeat(60, func(i int) string {
		return fmt.Sprintf("field%d=%s&", i, url.QueryEscape(`{"a":"`+m.form("[a20]")+`","note":"`+m.sentence()+`"}`))
	})+"__VIEWSTATE="+url.QueryEscape(m.text(alphabets['s'], 4000)+"==")+"&csrf="+m.form("[u43]")))
	add("crash report", post("/api/"+m.text(digits, 6)+"/envelope/", "application/x-sentry-envelope", object(obj{"event_id": m.hex(32), "dsn": "https://" + m.hex(32) + "@o" + m.text(digits, 6) + ".ingest.sentry.io/" + m.text(digits, 7)})+"\n"+object(obj{"exception": m.prose(5), "release": m.hex(40)})+"\n"))
	add("JSON-RPC of a chain", post("/", jsonType, object(obj{"jsonrpc": "2.0", "id": m.IntN(99), "method": "eth_call", "params": []any{obj{"to": "0x" + m.hex(40), "data": "0x" + m.hex(2000)}, "latest"}})))
	add("analytics events", post("/e/", "text/plain", "data="+url.QueryEscape(b64(object(obj{"api_key": "phc_" + m.form("[a43]"), "batch": m.spans(20)})))))
	add("MCP call", post("/mcp", jsonType, object(obj{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": obj{"name": "write_file", "arguments": obj{"path": "/work/a.go", "content": m.golang(120)}}}), Field{"Mcp-Session-Id", m.uuid()}))
	add("chat over WebSocket", socket(Message{Data: []byte(object(obj{"op": 1, "d": m.IntN(9999)}))}, Message{Data: []byte(object(obj{"type": "msg", "id": m.form("01[c24]"), "text": m.prose(4)}))}, Message{Data: append([]byte{8, 1, 18, 200, 1}, m.bytes(900)...), Binary: true}))
	add("hashes and ids", post("/x", jsonType, object(obj{"sha256": m.hex(64), "sha512": "sha512-" + m.text(alphabets['s'], 86) + "==", "ulid": m.form("01[c24]"), "cid": "bafybei" + m.form("[l52]"), "nano": m.form("[u21]"), "ksuid": m.form("[a27]"), "etag": m.hex(32), "objectId": m.hex(24), "uuids": []string{m.uuid(), m.uuid(), m.uuid()}})))
}

// gitPack is a pack file with so many objects, really deflated.
func (m maker) gitPack(objects int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "PACK\x00\x00\x00\x02\x00\x00\x00%c", objects)
	for range objects {
		text := m.golang(60)
		size := len(text)
		head := byte(3<<4 | size&15)
		for size >>= 4; size > 0; size >>= 7 {
			b.WriteByte(head | 0x80)
			head = byte(size & 0x7f)
		}
		b.WriteByte(head)
		w := zlib.NewWriter(&b)
		w.Write([]byte(text))
		w.Close()
	}
	sum := sha1.Sum(b.Bytes())
	b.Write(sum[:])
	return b.String()
}

// wasm is machine code of a kind: many zeros, short runs, names.
func (m maker) wasm(n int) []byte {
	var b bytes.Buffer
	for b.Len() < n {
		b.Write(m.bytes(20 + m.IntN(40)))
		b.Write(make([]byte, m.IntN(30)))
		b.WriteString(m.word() + "_" + m.word())
	}
	return b.Bytes()
}

func (m maker) protobuf(fields int) []byte {
	var b bytes.Buffer
	for range fields {
		name := m.word() + "." + m.word() + ".duration"
		b.Write([]byte{0x0a, byte(len(name))})
		b.WriteString(name)
		b.Write([]byte{0x11})
		b.Write(m.bytes(8))
		b.Write([]byte{0x1a, 0x10})
		b.Write(m.bytes(16))
		b.WriteString("\x22\x24" + m.uuid())
	}
	return b.Bytes()
}

func (m maker) spans(n int) []obj {
	var all []obj
	for range n {
		all = append(all, obj{"traceId": m.hex(32), "spanId": m.hex(16), "name": "GET /" + m.word(), "attributes": obj{"http.url": "https://acme.example/" + m.word() + "?id=" + m.uuid(), "token": m.word()}})
	}
	return all
}

// hexDump is random bytes the way hexdump -C prints them.
func (m maker) hexDump(lines int) string { return hex.Dump(m.bytes(16 * lines)) }

func (m maker) foreign(sentences int) string {
	return m.repeat(sentences, func(int) string {
		return m.pick("Привет, посмотри, пожалуйста, почему падает тест; код: x = a.b(с). ", "请阅读失败的测试，然后提出修复方案。函数 parse() 返回 nil。", "Größe ändern – „bitte“ prüfen, naïve Façade. ", "Ελέγξτε τη ρύθμιση του διακομιστή. ", "テストを実行して、ログを確認してください。", "الرجاء مراجعة السجل. ", "😀 🚀 готово! ")
	})
}

func (m maker) testRun(n int) string {
	return m.repeat(n, func(i int) string {
		return fmt.Sprintf("=== RUN   Test%s/%d\n    %s_test.go:%d: got %q, want %q\n--- FAIL: Test%[1]s/%[2]d (0.%02[7]ds)\n", strings.ToUpper(m.word()[:1])+m.word(), i, m.word(), m.IntN(500), m.hex(12), m.hex(12), m.IntN(100))
	})
}

func (m maker) gitLog(n int) string {
	return m.repeat(n, func(int) string {
		return "commit " + m.hex(40) + "\nMerge: " + m.hex(7) + " " + m.hex(7) + "\nAuthor: Jo <jo@acme.example>\n\n    " + m.sentence() + "\n\n"
	})
}
