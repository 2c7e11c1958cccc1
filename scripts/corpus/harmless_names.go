package corpus

import (
	"fmt"
	"strings"
)

// names are texts in which names of secrets, or what ends as they do, have
// values that are none.
func (m maker) names(add adder) {
	id := func() string {
		switch m.IntN(5) {
		case 0:
			return m.hex(32)
		case 1:
			return m.form("[u43]")
		case 2:
			return m.form("C[a38]==")
		case 3:
			return m.hex(40)
		}
		return m.uuid()
	}
	record := func() obj {
		o := obj{}
		for _, name := range []string{"id", "key", "cache_key", "idempotency_key", "partition_key", "sort_key", "foreign_key", "public_key", "s3_key", "object_key", "translation_key",
			"next_page_token", "prev_page_token", "page_token", "continuation_token", "sync_token", "resume_token", "csrf_token", "client_token", "device_token", "upload_token",
			"nextPageToken", "continuationToken", "cacheKey", "etag", "secret_id", "secret_version", "token_id", "token_count"} {
			o[name] = id()
		}
		return o
	}
	add("records with keys and tokens of paging", post("/v1/records", jsonType, object(obj{"items": []obj{record(), record(), record()}})))
	add("tool output: records with keys", post("/v1/responses", jsonType, m.responses(jsonText(object(record())), 3_000)))
	add("query with tokens of paging", get("/v1/items?page_token="+m.form("[u43]")+"&idempotency_key="+m.uuid()+"&cache_key="+m.hex(32)+"&csrf_token="+m.form("[a32]")))
	add("workflow of CI", post("/files/ci.yml", "application/yaml", "jobs:\n  build:\n    steps:\n      - uses: actions/checkout@"+m.hex(40)+"\n        with:\n          token: ${{ secrets.GITHUB_TOKEN }}\n          ref: "+m.hex(40)+
		"\n      - run: make deploy\n        env:\n          API_KEY: ${{ secrets.API_KEY_V2 }}\n          NPM_TOKEN: ${{ secrets.NPM_TOKEN }}\n          CACHE_KEY: linux-"+m.hex(64)+"\n          DB_PASSWORD: ${DB_PASSWORD:-changeme}\n          COMMIT_TOKEN: "+m.hex(40)+"\n"))
	add("Dockerfile", post("/files/Dockerfile", "text/plain", "FROM debian@sha256:"+m.hex(64)+"\nENV GPG_KEY "+strings.ToUpper(m.hex(40))+"\nENV PYTHON_SHA256="+m.hex(64)+"\nRUN gpg --recv-keys \"$GPG_KEY\"\nARG API_TOKEN\nENV API_TOKEN=${API_TOKEN}\n"))
	add("placeholders", post("/files/setup.md", "text/markdown", "```sh\n"+m.repeat(12, func(int) string {
		return m.pick("API_KEY", "ACME_API_KEY", "access_token", "CLIENT_SECRET", "ACME_TOKEN", "DB_PASSWORD", "api-key") + m.pick("=", ": ", "=\"") +
			m.pick("your-api-key-here", "sk-xxxx", "changeme", "a1b2c3d4e5f6g7h8i9j0", "s3cr3t-t0k3n-v4lu3", "test-"+m.form("[a20]"), "550e8400-e29b-41d4-a716-446655440000", "<paste your key>", "$(pass show acme/api2)", "op://vault/item2/field1", "process.env.ACME_KEY2") + "\n"
	})+"```\n"+m.prose(3)))
	add("code that passes keys on", post("/files/client.ts", "text/plain", m.repeat(40, func(i int) string {
		return fmt.Sprintf(m.pick(
			"const client%d = new Client({ apiKey: process.env.%s_API_KEY, accessToken: session.user%[1]d.accessToken });\n",
			"export const STORAGE_KEY = \"acme:%[2]s:settings:v%[1]d\";\n",
			"headers.set(\"x-api-key\", config.get(\"%[2]s.apiKey%[1]d\"));\n",
			"var t={access_token:e.accessToken%[1]d,refresh_token:n.t%[1]d.r,client_secret:o(%[1]d).s};\n",
			"  refresh_token: credentials.%[2]s%[1]d.refresh_token ?? undefined,\n",
			"public_key=%[3]q\n",
		), i, m.word(), "age1"+m.form("[l58]"))
	})))
	add("Terraform with references", post("/files/app.tf", "text/plain", "resource \"aws_lambda_function\" \"f\" {\n  source_code_hash = \""+m.text(alphabets['s'], 43)+"=\"\n  environment {\n    variables = {\n      API_KEY       = var.api_key\n      CLIENT_SECRET = data.aws_secretsmanager_secret_version.s2.secret_string\n      KMS_KEY       = \""+m.uuid()+
		"\"\n      SECRET_ARN    = \"arn:aws:secretsmanager:eu-west-1:"+m.text(digits, 12)+":secret:prod/db-"+m.form("[a6]")+"\"\n      ACCESS_TOKEN  = random_password.t1.result\n    }\n  }\n}\n"))
	add("settings of a web client", post("/files/.env.production", "text/plain", "NEXT_PUBLIC_API_KEY="+m.form("[a32]")+"\nVITE_PUBLIC_ANALYTICS_KEY="+m.hex(32)+"\nSTRIPE_PUBLISHABLE_KEY=pk_live_"+m.form("[a24]")+"\nRECAPTCHA_SITE_KEY=6L"+m.form("[u38]")+"\n"))
}
