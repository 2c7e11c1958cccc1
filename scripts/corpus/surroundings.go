package corpus

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// places are all of them.
var places = slices.Concat(parts, surroundings)

// surroundings are ways to write a name and a value, and lines of a file, that tools and people have.
var surroundings = []place{
	{"name of a header", plain, true, func(m maker, _, text string) Request {
		return get("/v1/items", Field{m.pick("X-", "") + text, "1"})
	}},
	{"arguments of a call", plain, true, func(m maker, name, text string) Request {
		return post("/files/settings.py", "text/x-python", m.python(3)+fieldName(name)+" = os.getenv(\""+variable(name)+"\", \""+text+"\")\n"+m.python(3))
	}},
	{"words of a shell", plain, true, func(m maker, name, text string) Request {
		return post("/files/history", "text/plain", "cd ~/src\nset -gx "+variable(name)+" "+text+"\nmake deploy\n")
	}},
	{"option of a command", plain, true, func(m maker, name, text string) Request {
		return post("/files/deploy.sh", "text/x-shellscript", "#!/bin/sh\nset -e\nship --env live --"+strings.ReplaceAll(fieldName(name), "_", "-")+" "+text+" --yes\n")
	}},
	{"table", plain, true, func(m maker, name, text string) Request {
		return post("/files/env.md", "text/markdown", "| variable | value |\n|-|-|\n| PORT | 80 |\n| "+variable(name)+" | "+text+" |\n")
	}},
	{"properties", plain, true, func(m maker, name, text string) Request {
		return post("/files/app.properties", "text/plain", "app.name=shop\napp."+strings.ReplaceAll(fieldName(name), "_", ".")+"="+text+"\n")
	}},
	{"makefile", plain, true, func(m maker, name, text string) Request {
		return post("/files/Makefile", "text/plain", variable(name)+" ?= "+text+"\nexport "+variable(name)+"\ndeploy:\n\t./deploy.sh\n")
	}},
	{"property list", plain, true, func(m maker, name, text string) Request {
		return post("/files/app.plist", "text/xml", "<dict>\n\t<key>"+camelCase(name)+"</key>\n\t<string>"+text+"</string>\n</dict>\n")
	}},
	{"values of SQL", plain, true, func(m maker, name, text string) Request {
		return post("/files/dump.sql", "text/plain", "INSERT INTO settings (name, value) VALUES ('"+fieldName(name)+"', '"+text+"');\n")
	}},
	{"Rust", plain, true, func(m maker, name, text string) Request {
		return post("/files/main.rs", "text/plain", "const "+variable(name)+": &str = \""+text+"\";\n\nfn main() {}\n")
	}},
	{"camel case", plain, true, func(m maker, name, text string) Request {
		return post("/files/config.ts", "text/plain", "export const config = {\n  region: 'eu',\n  "+camelCase(name)+": '"+text+"',\n};\n")
	}},
	{"Kubernetes Secret", plain, false, func(m maker, name, text string) Request {
		return post("/files/secret.yaml", "application/yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\ndata:\n  "+variable(name)+": "+base64.StdEncoding.EncodeToString([]byte(text))+"\n")
	}},
	{"numbered lines", plain, false, func(m maker, name, text string) Request {
		return post("/paste", "text/plain", eachLine(variable(name)+"="+text, func(i int) string { return fmt.Sprintf("%6d\t", i) }))
	}},
	{"lines found by grep", plain, false, func(m maker, name, text string) Request {
		return post("/paste", "text/plain", eachLine(variable(name)+"="+text, func(i int) string { return fmt.Sprintf("deploy/secrets:%d:", i) }))
	}},
	{"quotation in a mail", plain, false, func(m maker, name, text string) Request {
		return post("/paste", "text/plain", "On Friday you wrote:\n"+eachLine(variable(name)+"="+text, func(int) string { return "> " }))
	}},
}

// eachLine puts something before each line of text.
func eachLine(text string, before func(i int) string) string {
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		b.WriteString(before(i+1) + line + "\n")
	}
	return b.String()
}

// camelCase is how a field of that name is called in JavaScript.
func camelCase(name string) string {
	words := strings.Split(fieldName(name), "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// isToken reports whether s can be the name of a header.
func isToken(s string) bool {
	return len(s) < 250 && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(alnums+"-_.~", r) })
}
