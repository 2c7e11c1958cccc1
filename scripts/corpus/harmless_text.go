package corpus

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
)

func (m maker) packageLock(n int) string {
	return "{\n  \"name\": \"app\",\n  \"lockfileVersion\": 3,\n  \"packages\": {\n" + m.repeat(n, func(i int) string {
		return fmt.Sprintf("    \"node_modules/%s-%d\": {\n      \"version\": \"%d.%d.0\",\n      \"resolved\": \"https://registry.example.org/%[1]s/-/%[1]s-%[3]d.%[4]d.0.tgz\",\n      \"integrity\": \"sha512-%s==\",\n      \"license\": \"MIT\"\n    },\n",
			m.word(), i, m.IntN(20), m.IntN(20), m.text(alphabets['s'], 86))
	}) + "    \"\": {}\n  }\n}\n"
}

func (m maker) minified(n int) string {
	return m.repeat(n, func(i int) string {
		return fmt.Sprintf(m.pick(
			`function %s(t,e){return t&&e?t.%s(e,%d):"\u0026nbsp;"+e.%s}`,
			`var %s=/[\u0000-\u001f%%]/g,%s=%d,a=t.%s||{};`,
			`!function(%s){"use strict";var n=e(%[2]q);n.d(%[4]q,(()=>r))}(%[3]d),`,
			`t.%s=Object.freeze({sk:1,%s:%d,"task-runner-%s":!0}),`,
		), m.text(lowers, 2), m.form("[w6]"), i, m.form("[w10]"))
	})
}

func (m maker) sourceMap(segments int) string {
	return `{"version":3,"file":"app.js","sources":["../src/a.ts","../src/b.tsx"],"names":["x","y"],"mappings":"` + m.repeat(segments, func(int) string {
		return m.text("ACDEFGHIJKLMNOPQRSTUVWXYZacegikmoqsuwy", 4) + m.pick(",", ",", ",", ";")
	}) + `","sourcesContent":[` + `"` + jsonText(m.golang(80)) + `"]}`
}

func (m maker) css(n int) string {
	return m.repeat(n, func(i int) string {
		return fmt.Sprintf(".%s-%s__%s--%d{color:#%s;background:url(\"data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%%3E%%3Cpath fill='%%23%s' d='%s'/%%3E%%3C/svg%%3E\")}\n", m.pick("sk", "btn", "tw", "re"), m.word(), m.word(), i, m.hex(6), m.hex(6), m.svgPath(8))
	})
}

func (m maker) svgPath(n int) string {
	return "M12 2" + m.repeat(n, func(int) string {
		return fmt.Sprintf("%s%d.%d-%d.%d", m.pick("l", "c", "a", "v", "h", "C", "Z"), m.IntN(24), m.IntN(999), m.IntN(24), m.IntN(999))
	})
}

// placeholders stand where a credential would, in documentation.
func (m maker) docs() string {
	x := func(n int) string { return strings.Repeat("x", n) }
	return "# Tokens\n\nSet `GITHUB_TOKEN=ghp_" + x(36) + "` or pass `--token github_pat_...`. A token begins with `ghp_`, `gho_`, `ghs_` or `github_pat_`.\n" +
		"For AWS use the example key `AKIA" + "IOSFODNN7EXAMPLE` and `wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY`:\n\n```\naws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY\n```\n\n" +
		"```sh\nexport OPENAI_API_KEY=sk-...\nexport OPENAI_API_KEY=\"sk-your-api-key-here\"\nexport ANTHROPIC_API_KEY=sk-ant-api03-...\nexport OPENAI_API_KEY=sk-" + x(48) + "\nexport SLACK_BOT_TOKEN=xoxb-your-token\nexport STRIPE_KEY=sk_test_" + x(24) + "\nexport STRIPE_KEY=sk_live_YOUR_KEY_HERE\n" +
		"export GITLAB_TOKEN=glpat-" + x(20) + "\nexport HF_TOKEN=hf_" + x(34) + "\nexport NPM_TOKEN=npm_" + strings.Repeat("0", 36) + "\nexport DD_API_KEY=<your-datadog-api-key>\nexport DATABASE_URL=postgres://user:password@localhost:5432/app\nexport REDIS_URL=redis://:changeme@redis:6379/0\nexport MONGODB_URI=mongodb://root:example@mongo:27017/\ncurl -u user:pass https://api.example.com -H \"Authorization: Bearer $TOKEN\" -H 'Authorization: Bearer <token>'\n" +
		"curl https://user:password@example.com/\ngit clone https://oauth2:${GITLAB_TOKEN}@gitlab.com/a/b.git\n//registry.example.org/:_authToken=${NPM_TOKEN}\n```\n\n" +
		"A JSON Web Token looks like this: `" + exampleJWT() + "` (its key is `your-256-bit-secret`).\nKeys in PEM begin with `-----BEGIN PRIVATE " + "KEY-----` and end with `-----END PRIVATE KEY-----`:\n\n    -----BEGIN RSA PRIVATE " + "KEY-----\n    MIIEpAIBAAKCAQEA...\n    -----END RSA PRIVATE KEY-----\n\n" +
		"The publishable key `pk_live_" + m.form("[a24]") + "` and the client token `pub" + m.hex(32) + "` are not secret. Webhooks: `https://hooks.slack.com/services/T00000000/B00000000/" + strings.Repeat("X", 24) + "`.\n" + m.prose(6)
}

// exampleJWT is the token that jwt.io has shown to everybody for years.
func exampleJWT() string {
	text := url64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + url64([]byte(`{"sub":"1234567890","name":"John Doe","iat":1516239022}`))
	mac := hmac.New(sha256.New, []byte("your-256-bit-secret"))
	mac.Write([]byte(text))
	return text + "." + url64(mac.Sum(nil))
}

func (m maker) envExample() string {
	return "# Copy to .env and fill in\nNODE_ENV=development\nDATABASE_URL=postgresql://postgres:postgres@localhost:5432/dev\nREDIS_URL=redis://localhost:6379\nJWT_SECRET=change-me-please\nSESSION_SECRET=\nOPENAI_API_KEY=\nANTHROPIC_API_KEY=sk-ant-your-key\nGITHUB_CLIENT_ID=Iv1." + m.hex(16) + "\nGITHUB_CLIENT_SECRET=your-client-secret\nAWS_ACCESS_KEY_ID=your-access-key-id\nAWS_SECRET_ACCESS_KEY=your-secret-access-key\nSTRIPE_SECRET_KEY=sk_test_...\nSTRIPE_PUBLISHABLE_KEY=pk_test_" + m.form("[a24]") + "\nSENTRY_DSN=https://" + m.hex(32) + "@o" + m.text(digits, 6) + ".ingest.us.sentry.io/" + m.text(digits, 16) + "\nSMTP_URL=smtp://user:pass@smtp.example.com:587\nTELEGRAM_BOT_TOKEN=123456789:your-bot-token\nTWILIO_ACCOUNT_SID=AC" + strings.Repeat("x", 32) + "\nCLOUDFLARE_ACCOUNT_ID=" + m.hex(32) + "\nSUPABASE_URL=https://" + m.text(lowers, 20) + ".supabase.co\n"
}

// scannerRules is a file of patterns for secrets.
func (m maker) scannerRules() string {
	return `[[rules]]
id = "github-pat"
regex = '''ghp_[0-9a-zA-Z]{36}'''
keywords = ["ghp_"]
[[rules]]
id = "aws-access-token"
regex = '''\b((?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b'''
keywords = ["akia", "asia"]
[[rules]]
id = "private-key"
regex = '''(?i)-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----[\s\S-]{64,}?KEY(?: BLOCK)?-----'''
keywords = ["-----begin"]
[[rules]]
id = "slack-bot-token"
regex = '''xoxb-[0-9]{10,13}-[0-9]{10,13}[a-zA-Z0-9-]*'''
[[rules]]
id = "jwt"
regex = '''\b(ey[a-zA-Z0-9]{17,}\.ey[a-zA-Z0-9\/\\_-]{17,}\.(?:[a-zA-Z0-9\/\\_-]{10,}={0,2})?)'''
[[rules]]
id = "openai"
regex = '''\b(sk-(?:proj|svcacct|admin)-(?:[A-Za-z0-9_-]{74}|[A-Za-z0-9_-]{58})T3BlbkFJ(?:[A-Za-z0-9_-]{74}|[A-Za-z0-9_-]{58})\b|sk-[a-zA-Z0-9]{20}T3BlbkFJ[a-zA-Z0-9]{20})'''
[[rules]]
id = "stripe"
regex = '''\b((?:sk|rk)_(?:test|live|prod)_[a-zA-Z0-9]{10,99})'''
# ` + m.sentence() + "\n"
}

func (m maker) certificate() string {
	return "-----BEGIN CERTIFICATE-----\nMIID" + wrap(m.text(alphabets['s'], 60+64*18), 64, "\n") + "\n" + m.text(alphabets['s'], 22) + "==\n-----END CERTIFICATE-----\n"
}

func (m maker) manifest() string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + m.word() + "\n  uid: " + m.uuid() + "\n  annotations:\n    checksum/config: " + m.hex(64) + "\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: registry.acme.example/app@sha256:" + m.hex(64) + "\n        env:\n        - name: DB_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              name: db\n              key: password\n        - name: GITHUB_TOKEN\n          valueFrom: {secretKeyRef: {name: ci, key: token}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: placeholder}\ndata:\n  password: Y2hhbmdlbWU=\n  config: " + b64("log_level: info\nmode: live\nregion: eu-central-1\n") + "\n"
}
