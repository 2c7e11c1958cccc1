package dlp

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const upperHexChars = "0123456789ABCDEF"

func (m maker) uuid() string {
	return m.text(hexChars, 8) + "-" + m.text(hexChars, 4) + "-4" + m.text(hexChars, 3) + "-a" + m.text(hexChars, 3) + "-" + m.text(hexChars, 12)
}

// bytes are n bytes that next makes, the way it is asked for the i-th.
func bytesOf(n int, next func(i int) byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = next(i)
	}
	return b
}

// Each of them was stopped once.
func TestWhatOnlyLooksLikeASecretIsNone(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(5)) {
		m := newMaker(500 + seed)
		for name, text := range map[string]string{
			"name of a type":                "def add(self, api_key: ApiGatewayApiKey, password: RsaOaepSha256EncryptedB64) -> UsagePlan",
			"name of a type with a number":  "type T = { accessToken: OAuth2AccessTokenV3Response; apiKey: UserApiKeyByIdV2Response }",
			"camel case behind a name":      "# used by describe_secret\n\"VersionIdsToStages\": version_ids, \"output_token\": \"KeyValueStoreList.NextMarker\"",
			"camel case in a form":          "text=api_key%3A+UserApiKeyByIdV2Response%0Apassword%3A+RsaOaepSha256EncryptedB64",
			"fingerprint of OpenPGP":        "ARG SWIFT_SIGNING_KEY=" + m.text(upperHexChars, 40) + "\nENV MONGO_KEY=0x" + m.text(upperHexChars, 40) + " APT_KEY=" + m.text(upperHexChars, 16),
			"ULID":                          "EVENT_KEY=01" + m.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
			"path of a file":                "ARCHIVE_KEY=builds/" + m.text(hexChars, 40) + ".zip",
			"names of what is no secret":    "RESTORE_KEY=v2-" + m.text(hexChars, 40) + "\nJOB_KEY=" + m.uuid() + "\nMINISIGN_KEY=RW" + m.text(stdChars, 54) + "\nSEGMENT_WRITE_KEY=" + m.text(alnumChars, 32),
			"places in a list":              `{"next_query_token":"` + m.text(urlChars, 60) + `","after_token":"` + m.text(urlChars, 40) + `","partition_token":"` + m.text(stdChars, 60) + `"}`,
			"devices and challenges":        `{"apns_token":"` + m.text(hexChars, 64) + `","recaptcha_token":"03A` + m.text(urlChars, 160) + `","correlation_token":"` + m.uuid() + `"}`,
			"a number":                      `"next_upload_sequence_token":"4` + m.text(digitChars, 55) + `","acme_token":"4` + m.text(digitChars, 55) + `"`,
			"token of a form":               `<input type="hidden" name="_token" value="` + m.text(alnumChars, 40) + `">`,
			"token of a form, sent":         "_token=" + m.text(alnumChars, 40) + "&email=a%40b.example",
			"token of a form in JSON":       `{"_token":"` + m.text(alnumChars, 40) + `"}`,
			"empty fields of a form":        "name=\"password\"\r\n\r\n\r\n------WebKitFormBoundary" + m.text(alnumChars, 16) + "\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\n\r\n--" + m.text(hexChars, 32) + "--\r\n",
			"a sealed secret":               "encryptedData:\n  password: AgB" + m.text(alnumChars, 197) + "+" + m.text(stdChars, 400) + "\n  api_key: AgC" + m.text(alnumChars, 197) + "/" + m.text(stdChars, 400) + "\n",
			"encrypted by dotenvx":          "API_KEY=\"encrypted:B" + m.text(stdChars, 120) + "\"\nDB_PASSWORD=\"encrypted:B" + m.text(stdChars, 120) + "\"",
			"encrypted for Travis":          "text=api_key%3A%0A++++secure%3A+" + m.text(alnumChars, 60) + "%3D",
			"a hash of LDAP":                "userPassword:: " + base64.StdEncoding.EncodeToString([]byte("{SSHA}"+m.text(stdChars, 38)+"==")),
			"hashes of databases":           "ALTER USER a WITH PASSWORD 'md5" + m.text(hexChars, 31) + "a'; CREATE USER a IDENTIFIED BY PASSWORD '*" + m.text(upperHexChars, 39) + "7'",
			"headers against forgery":       "X-CSRF-Token: " + m.text(stdChars, 86) + "==\nX-XSRF-Token: " + m.uuid() + "\nX-Client-Trace-Token: " + m.uuid(),
			"what was issued":               "INFO issued access_token id=" + m.text(hexChars, 16) + " ttl=3600",
			"the next variable":             "API_KEY=\nTENANT_ID=" + m.uuid() + "\nACCESS_TOKEN=\r\nBUILD_SHA=" + m.text(hexChars, 40) + "\nDB_PASSWORD=\nRELEASE_ID=" + m.text(alnumChars, 15) + "7",
			"the next variable, in JSON":    `{"env":"API_KEY=\nTENANT_ID=` + m.uuid() + `\nDB_PASSWORD=\nRELEASE_ID=` + m.text(alnumChars, 15) + `7"}`,
			"types of CloudFormation":       `"AWS::ApiGateway::ApiKey": "` + m.text(hexChars, 16) + `", "AWS::Location::APIKey": "` + m.text(hexChars, 32) + `"`,
			"Statsig's key for clients":     "statsig-api-key: client-" + m.text(alnumChars, 43),
			"Datadog's key for browsers":    "https://example.com/rum?dd-api-key=pub" + m.text(hexChars, 32) + "&dd-request-id=" + m.uuid(),
			"Supabase's key for everybody":  "SUPABASE_ANON_KEY=" + enc64(`{"alg":"HS256","typ":"JWT"}`) + "." + enc64(`{"iss":"supabase","ref":"`+m.text("abcdefgh", 20)+`","role":"anon","iat":1700000000,"exp":2015000000}`) + "." + m.text(urlChars, 43),
			"keys of emulators":             "AccountName=devstoreaccount1;AccountKey=" + string(emulatorKeys[0]) + ";BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;\nAccountEndpoint=https://localhost:8081/;AccountKey=" + string(emulatorKeys[1]),
			"keys of standards":             "SECRET_KEY = \"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7\"\nAES_KEY=2b7e151628aed2a6abf7158809cf4f3c\noauth_token=\"nnch734d00sl2jdk\" token_secret=pfkkdhi9sl3r4s00",
			"tokens of documentation":       "curl -H \"X-Auth-Token: 9HqLlyZOugoStsXCUfD_0YdwnNnunAJF8V47U3QHXSq\" x\nX-Amz-Security-Token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267\n",
			"keys that count":               "ENC_KEY=000102030405060708090a0b0c0d0e0f\napi_key=f0e0d0c0b0a090807060504030201000",
			"digests of words":              "api_key: 098f6bcd4621d373cade4e832627b4f6\ntoken_secret: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
			"Kubernetes' example":           "data:\n  password: MWYyZDFlMmU2N2Rm\n  username: YWRtaW4=",
			"the next option of helm":       `helm upgrade --set auth.password="$PASSWORD" --set image.tag=` + m.text(hexChars, 39) + "a --wait\nmysql --password --set image.tag=" + m.text(hexChars, 39) + "a",
			"an object's key, numbered":     "     1\tstorage_key: " + m.uuid() + "\n     2\tname: x\n",
			"Amazon's example in pieces":    `"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"`,
			"Django's key of a start":       "SECRET_KEY = 'django-insecure-" + m.text(alnumChars, 50) + "'",
			"passwords of tests":            `{"password": "P@ssw0rd1234"} {"password":"ValidPass123!"} {"password":"Hello123World!"} {"password":"MyStr0ngP@ss!"} {"password":"1qaz2wsx3edc"} {"password":"LongEnoughPass1!"} {"password":"Demo1234Demo1234"}`,
			"passwords of tests, encoded":   "password: " + base64.StdEncoding.EncodeToString([]byte("P@ssw0rd1234")),
			"Slack's token of a test":       "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
			"AWS ids of a test":             "AKIA" + "ABCDEFGHIJKLMNOP",
			"a signed URL":                  "https://b.s3.amazonaws.com/x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA" + m.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16) + "%2F20250106%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Expires=300",
			"a signed URL in a form":        "url=https%3A%2F%2Fb%3FX-Amz-Credential%3DAKIA" + m.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16) + "%252F20250106%252Fus-east-1",
			"tables of symbols":             "uv_os_get_token\x00_ZN2v88internal12trap_handler15gNumCodeObjectsE\x00_cpp_token\x00_Z11gen_sminhi3P7rtx_defS0_S0_\x00ada_get_password\x00_ZN2v88internal14OrderedHashSet8AllocateINS0_7IsolateEEE\x00validated_token\x00_RNvNtCsbEht8wFNRx7_5alloc5boxed14box_new_uninit\x00advance_token\x00_RNvMNtCs8NwYtU1Mohg_4core3stre12escape_debug\x00",
			"addresses of Ethereum":         "USDC_TOKEN=0x" + m.text(hexChars, 39) + "a\n{\"feeToken\":\"0x" + m.text(hexChars, 39) + "a\"}",
			"Web Push's key of a server":    "export const DEFAULT_VAPID_KEY = 'B" + m.text("ABCDEFGHIJKLMNOP", 1) + m.text(urlChars, 84) + "4'",
			"minisign's signature":          "untrusted comment: signature from minisign secret key\nRUQ" + m.text(stdChars, 96) + "=\nuntrusted comment: minisign api key\nRWQ" + m.text(stdChars, 53) + "\n",
			"attributes of tags":            "<input type=\"password\" data-v-" + m.text(hexChars, 7) + "a1>\n<input type=\"password\" _ngcontent-ng-c" + m.text(digitChars, 10) + "=\"\"><input type=\"password\" data-x4f9Zq7=\"1\">",
			"git blame, its first commit":   "^" + m.text(hexChars, 7) + "a (a 2026-01-02 10:00:00 +0100 1) password\n^" + m.text(hexChars, 11) + "a (a 2026-01-02 10:00:00 +0100 2) x\n",
			"names of records":              "POOL_KEY=" + m.uuid() + "\nREDIS_KEY=" + m.text(hexChars, 39) + "a\n{\"preview_token\":\"" + m.uuid() + "\",\"subscription-token\":\"" + m.text(hexChars, 63) + "a\",\"cartToken\":\"" + m.uuid() + "\"}\nREDIS_KEY=6" + m.text(hexChars, 22) + "a\nsubscription_token=01" + m.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
			"names of what is none":         "{\"dedupe_token\":\"" + m.text(alnumChars, 31) + "7\",\"hashed_secret\":\"" + m.text(hexChars, 39) + "a\"}\nFIGMA_FILE_KEY=" + m.text(alnumChars, 21) + "7\n",
			"commits, one behind the other": "commit " + m.text(hexChars, 40) + "\n" + m.text(hexChars, 39) + "a rotate the api key\n" + m.text(hexChars, 39) + "b (origin/access-token) use it\n" + m.text(hexChars, 39) + "c fix\n",
			"branches of a repository":      m.text(hexChars, 40) + "\trefs/heads/access-token\n" + m.text(hexChars, 39) + "a\trefs/heads/main\n",
			"branches, in JSON":             `{"output":"` + m.text(hexChars, 40) + `\trefs/heads/access-token\n` + m.text(hexChars, 39) + `a\trefs/heads/main\n"}`,
			"branches, in JSON in JSON":     `{"output":"{\"output\":\"` + m.text(hexChars, 40) + `\\trefs/heads/access-token\\n` + m.text(hexChars, 39) + `a\\trefs/heads/main\\n\"}"}`,
			"git blame":                     "a1b2c3d4 (a 2026-01-02 10:00:00 +0100 1) x = settings.API_KEY\n" + m.text(hexChars, 39) + "a (a 2026-01-02 10:00:00 +0100 2) y\n",
			"sums of files":                 m.text(hexChars, 64) + "  api-key\n" + m.text(hexChars, 63) + "a  token\n" + m.text(hexChars, 32) + " *access-token\n" + m.text(hexChars, 31) + "a *x\n",
			"commits, and another's names":  m.text(hexChars, 40) + " rotate dd_app_key\n" + m.text(hexChars, 39) + "a fix wandb_api_key\n" + m.text(hexChars, 39) + "b fix\n" + m.text(hexChars, 40) + " fix\n",
			"commits as a table":            m.text(hexChars, 40) + ",bob,update api-key\n" + m.text(hexChars, 39) + "a,ann,fix\n" + m.text(hexChars, 40) + ",bob,fix\n",
			"a search by Algolia":           "algolia: {\n    appId: 'B1G2GM9NG0',\n    apiKey: '" + m.text(hexChars, 31) + "a',\n    indexName: 'docs',\n}",
			"a search by Algolia, numbered": `{"text":"     3\t    appId: 'B1G2GM9NG0',\n     4\t    apiKey: '` + m.text(hexChars, 31) + `a',\n     5\t    indexName: 'docs',\n     6→}"}`,
			"a search by Algolia, in JSON":  `{"text":"algolia: {\n    appId: \"B1G2GM9NG0\",\n    apiKey: \"` + m.text(hexChars, 31) + `a\",\n    indexName: \"docs\",\n}"}`,
			"events of Amplitude":           `{"api_key": "` + m.text(hexChars, 31) + `a", "events": [{"event_type":"x"}]}`,
			"an error to BugSnag":           `{"apiKey":"` + m.text(hexChars, 31) + `a","payloadVersion":"5","notifier":{}}`,
			"names of keys of browsers":     "AMPLITUDE_API_KEY=" + m.text(hexChars, 31) + "a\nconst amplitudeApiKey = '" + m.text(hexChars, 31) + "a'\nALGOLIA_SEARCH_API_KEY=" + m.text(hexChars, 31) + "a\nTYPESENSE_SEARCH_ONLY_API_KEY=" + m.text(alnumChars, 31) + "7",
			"RevenueCat's key of an app":    "Purchases.configure({ apiKey: 'appl_" + m.text(alnumChars, 26) + "7' })",
			"words in Kubernetes data":      "data:\n  api-key: " + base64.StdEncoding.EncodeToString([]byte("your-api-key-here")) + "\n  client-secret: " + base64.StdEncoding.EncodeToString([]byte("my-client-secret")) + "\n  auth-token: " + base64.StdEncoding.EncodeToString([]byte("rotate me at noon")) + "\n",
			"a type of CloudFormation":      "  GraphQLApiKey:\n    Type: AWS::AppSync::ApiKey\n",
			"the next tag":                  "<wsse:Password>x</wsse:Password>\n<ds:DigestValue>" + m.text(stdChars, 26) + "7=</ds:DigestValue>",
			"the next tag, in JSON":         `{"text":"<wsse:Password>x</wsse:Password>\n<ds:DigestValue>` + m.text(stdChars, 26) + `7=</ds:DigestValue>"}`,
			"a public key in prose":         "your public api key: " + m.uuid() + "\n",
			"an object's key":               `{"storage_key":"` + m.uuid() + `"}`,
			"New Relic's key of browsers":   "NREUM.info={beacon:\"bam.nr-data.net\",licenseKey:\"NRJS-" + m.text(hexChars, 18) + "a\",applicationID:\"1\"}\nNEW_RELIC_BROWSER_KEY=NRJS-" + m.text(hexChars, 18) + "a\n",
			"WireGuard's example":           "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
			"a key of AWS' documentation":   "-----BEGIN RSA PRIVATE KEY-----\nEXAMPLEBAAKCAQEA" + m.text(stdChars, 48) + "\n" + m.text(stdChars, 64),
		} {
			require.Empty(t, r.Scan([]byte(text)), "%s: %s", name, text)
			if strings.HasPrefix(text, "text=") {
				require.Empty(t, r.Form().Scan([]byte(text)), "%s, as a form: %s", name, text)
			}
			require.Empty(t, r.Form().Scan([]byte("text="+url.QueryEscape(text))), "%s, in a form: %s", name, text)
			require.Empty(t, r.Scan([]byte(base64.StdEncoding.EncodeToString([]byte("a=b&"+text+"\n  ")))), "%s, in base64", name)
		}
	}
}

// An example is one also where the text behind it might be a piece of it.
func TestExamplesBeforeOtherTextAreNoSecrets(t *testing.T) {
	r := builtin(t)
	for _, token := range []string{signed("HS256", johnsClaims, "your-256-bit-secret"), signed("HS512", adminsClaims, "your-512-bit-secret"),
		enc64("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}") + "." + enc64("{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}") + "." + "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"} {
		for _, behind := range []string{"\nLs4rZkPq\n", "\n\n    decodes to this\n", `\n   116→{\"model\"`, "+to+this", "\n+\n+DNA: TCTGCG", `","next`} {
			require.Empty(t, r.Scan([]byte("For example\n    "+token+behind)), "%s%s", token, behind)
		}
		other := signed("HS256", `{"sub":"4711"}`, "nobody published this")
		found := r.Scan([]byte(token + "\n" + other + "\n"))
		require.Len(t, found, 1)
		require.EqualValues(t, len(token)+1, found[0].Start)
	}
}

// Zeros in tables, code and fonts make EAAA of every few characters of base64.
func TestBase64OfTablesIsNoToken(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(6)) {
		m := newMaker(520 + seed)
		for name, table := range map[string][]byte{
			"32 bits": bytesOf(300_000, func(i int) byte {
				if i%4 < 2 {
					return byte(m.IntN(256))
				}
				return byte(i / 3 % 4 / 3 * (1 - i%2))
			}),
			"16 bits of 32, big endian": bytesOf(300_000, func(i int) byte {
				if i%4 > 1 {
					return byte(m.IntN(256))
				}
				return 0
			}),
			"instructions": bytesOf(300_000, func(int) byte {
				if m.IntN(5) == 0 {
					return byte(m.IntN(256))
				}
				return "\x20\x21\x41\x6a\x0b\x10\x00\x00\x01\x02\x7f\x28\x36"[m.IntN(13)]
			}),
		} {
			text := base64.StdEncoding.EncodeToString(table)
			require.Empty(t, r.Scan([]byte(`{"data":"`+text+`"}`)), name)
			require.Empty(t, r.Scan([]byte(wrapped(text, 76, "\r\n"))), "%s, in lines", name)
			require.Empty(t, r.Scan([]byte(`{"data":"`+base64.RawURLEncoding.EncodeToString(table)+`"}`)), "%s, for URLs", name)
		}
		require.Empty(t, r.Scan([]byte("EAAC"+m.text(upperHexChars, 60)+"\n"+wrapped(strings.ToUpper(hex.EncodeToString([]byte(m.text(alnumChars, 320)))), 64, "\n"))), "hexadecimal")
	}
}

// What is much like those, and a secret.
func TestWhatIsMuchLikeThatAndASecretIsFound(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(20)) {
		m := newMaker(540 + seed)
		key := m.text(alnumChars, 30) + "a7Zq"
		for name, text := range map[string]string{
			"in small letters":               "SIGNING_KEY=" + m.text(hexChars, 36) + "a3f5",
			"of another length":              "SIGNING_KEY=" + m.text(upperHexChars, 60) + "A3F5",
			"a slash and no end of a name":   "ACME_KEY=" + m.text(alnumChars, 20) + "/a7" + m.text(alnumChars, 20),
			"a name":                         "my_token=" + key,
			"a name in JSON":                 `{"bot_token":"` + key + `"}`,
			"a variable":                     "self._token = \"" + key + "\"",
			"a name with two lines":          "Acme__Token=" + key,
			"a name with a variable in it":   "export ${NAME}_TOKEN=" + key,
			"a name behind an escape":        "a%22my_token%22%3A%22" + key,
			"in a field of a form":           "name=\"api_key\"\r\n\r\n" + key + "\r\n------WebKitFormBoundary" + m.text(alnumChars, 16) + "--\r\n",
			"not Statsig's":                  "api-key: client-" + key,
			"a service's key":                "SERVICE_KEY=" + enc64(`{"alg":"HS256","typ":"JWT"}`) + "." + enc64(`{"iss":"supabase","ref":"abc","role":"service_role","iat":1700000000}`) + "." + m.text(urlChars, 43),
			"not an emulator's":              "AccountName=a;AccountKey=" + m.text(stdChars, 86) + "==;",
			"password":                       `{"password":"` + m.text(alnumChars+"!#@", 16) + `4aZ9k"}`,
			"password in base64":             "password: " + base64.StdEncoding.EncodeToString([]byte(m.text(alnumChars, 17)+"4aZ9k2")),
			"longest":                        "api_key=" + m.text(alnumChars, 190) + "a7Zq",
			"of Facebook":                    "EAAG" + m.text(alnumChars, 160) + "ZDZD",
			"of Square":                      "EAAA" + m.text(urlChars, 56) + "a7Zq",
			"an AWS id in another place":     "credential=AKIA" + m.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 14) + "Q7",
			"an AWS id in a header":          "Authorization: AWS4-HMAC-SHA256 Credential=AKIA" + m.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 14) + "Q7/20250106/us-east-1/s3/aws4_request, SignedHeaders=host",
			"of Slack":                       "xoxb-" + m.text(digitChars, 12) + "-" + m.text(digitChars, 13) + "-" + m.text(alnumChars, 22) + "7a",
			"as long as an address":          "API_KEY=9x" + m.text(hexChars, 39) + "a\n",
			"a private key of Ethereum":      "PRIVATE_KEY=0x" + m.text(hexChars, 63) + "a\n",
			"as long as a point":             "API_KEY=Z" + m.text(urlChars, 85) + "4\n",
			"minisign's secret key":          "api_key: RWRTY0Iy" + m.text(stdChars, 100) + "4\n",
			"more than a record's name":      "REDIS_KEY=" + m.text(stdChars, 42) + "7=\n",
			"of a preview":                   "CONTENTFUL_PREVIEW_TOKEN=" + m.text(urlChars, 42) + "7\n",
			"a secret of a preview":          "PREVIEW_SECRET=" + m.text(hexChars, 63) + "a\n",
			"no record's name":               "POOLS_KEY=" + m.text(hexChars, 63) + "a\n",
			"below a name":                   "The api key\n" + m.text(hexChars, 39) + "a\n",
			"below a name, before a blank":   "The api key\n\n" + m.text(hexChars, 63) + "a \nis in use",
			"below a name in a sentence":     "use this api key\n" + m.text(hexChars, 31) + "a please\n",
			"below a name, before a break":   "The api key\n" + m.text(hexChars, 39) + "a  \nis in use\n",
			"below a name, with a remark":    "The api key\n" + m.text(hexChars, 39) + "a\t# of staging\n",
			"below a name in words":          "use this api key\n" + m.text(hexChars, 39) + "a please,\nand the other\n",
			"in a secret of Kubernetes":      "data:\n  api-key: " + base64.StdEncoding.EncodeToString([]byte(m.text(alnumChars, 30)+"a7")) + "\n",
			"a digest there":                 "data:\n  api-key: " + base64.StdEncoding.EncodeToString([]byte(m.text(hexChars, 31)+"a")) + "\n",
			"a password there":               "data:\n  api-key: " + base64.StdEncoding.EncodeToString([]byte("Tr"+m.text(digitChars, 3)+"!zig_Kp")) + "\n",
			"in a tag":                       "<password>" + "Zk7" + m.text(alnumChars, 12) + "9q</password>",
			"a key of a variable":            "STORAGE_KEY=" + m.text(hexChars, 63) + "a\n",
			"an account's key":               `{"storage_key":"` + m.text(stdChars, 43) + "7" + m.text(stdChars, 42) + `=="}`,
			"a digest for a storage":         `{"storage_key":"` + m.text(hexChars, 63) + `a"}`,
			"of Datadog, below its name":     "the dd_app_key\n" + m.text(hexChars, 39) + "a of staging\nand more\n",
			"below what assigns":             "api_key:\n  " + m.text(hexChars, 39) + "a  # of the staging system\n",
			"on the line of a name":          "api_key " + m.text(hexChars, 39) + "a  of the staging system\n",
			"before other events":            `{"api_key": "` + m.uuid() + `", "events": []}`,
			"before a longer name":           `{"api_key": "` + m.text(hexChars, 31) + `a", "eventsUrl": ""}`,
			"of Amplitude, a secret":         "AMPLITUDE_SECRET_KEY=" + m.text(hexChars, 31) + "a\n",
			"of a search, not of everybody":  "ELASTICSEARCH_API_KEY=" + m.text(alnumChars, 31) + "7\nAZURE_SEARCH_API_KEY=" + m.text(alnumChars, 31) + "7\n",
			"a password of data":             "password: " + "data-x4f9Zq7-Tk2p\n",
			"an example's claims and others": signed("HS256", `{"sub":"1234567890","name":"John Doe","iat":1516239022,"role":"admin"}`, key) + "\nand more\n",
		} {
			require.NotEmpty(t, r.Scan([]byte(text)), "%s: %s", name, text)
		}
	}
}

// One random value in a thousand may look like words, or be inert otherwise.
// A key that ends as a published one does is another.
func TestWhatEndsInAPublishedKeyIsNotPublished(t *testing.T) {
	require.True(t, published(emulatorKeys[0]))
	require.False(t, published(append([]byte(newMaker(87).text(alnumChars, 32)), emulatorKeys[0]...)))
}

func TestRandomDigestsAreNotMadeUp(t *testing.T) {
	m := newMaker(570)
	wrong, tried := 0, 20_000
	for range tried {
		if v := []byte(m.text(hexChars, 32)); isDigest(v) && (madeUp(v) || inert(v)) {
			wrong++
		}
	}
	require.LessOrEqual(t, wrong*250, tried)
	require.True(t, madeUp([]byte("a1b2c3d4e5f60718293a4b5c6d7e8f90")))
	require.True(t, madeUp([]byte("aabbccddeeff00112233445566778899")))
}

func TestRandomTextIsNotInert(t *testing.T) {
	m := newMaker(560)
	for _, n := range []int{16, 20, 24, 32, 40} {
		wrong, tried := 0, 20_000 // what is counted must be many
		for range tried {
			if v := []byte(m.text(alnumChars, n)); byChance(v) && (camelCase(v) || inert(v) || madeUp(v)) {
				wrong++
			}
		}
		require.LessOrEqual(t, wrong*1000, tried, "%d characters", n)
	}
}
