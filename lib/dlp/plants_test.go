package dlp

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What people's files, commands and messages hold, and what looks like it.

func TestPasswordsOfBasicMayEndInTheirOnlyDigit(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(20)) {
		m, password := newMaker(1000+seed), ""
		for range 9 {
			password += m.text("bcdfghklmnprtvwz", 1) + m.text("BCDFGHKLMNPRTVWZ", 1)
		}
		text := " Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("deploy:"+password+m.text("56789", 1)))
		require.NotEmpty(t, r.Scan([]byte(text)), text)
	}
	for _, pair := range []string{"user:refreshTokenForApiV2", "client_id:client_secret", "fred:password12345"} {
		text := " Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
		require.Empty(t, r.Scan([]byte(text)), pair)
	}
}

func TestWhatRequestsAreAuthorizedWith(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(20)) {
		m := newMaker(900 + seed)
		token := m.text(alnumChars, 38) + "a1"
		pair := base64.StdEncoding.EncodeToString([]byte("deploy:" + m.text(alnumChars, 16) + "4t"))
		for _, text := range []string{
			`curl -H "Authorization: Bearer ` + token + `" https://api.corp.net/`,
			`curl -H 'authorization: bearer ` + m.text(hexChars, 39) + `a'`,
			`{"content":"curl -H \"Authorization: token ` + m.text(hexChars, 39) + `a\" x"}`,
			`headers = {"Authorization": "Bearer ` + token + `"}`,
			`req.Header.Set("Authorization", "Bearer ` + token + `")`,
			"const auth = `Bearer " + token + "`;",
			"auth = 'Bearer " + token + "'",
			"> GET / HTTP/1.1\n> Authorization: Bearer " + m.uuid() + "\n",
			`{"log":"GET /\r\nAuthorization: Basic ` + pair + `\r\n"}`,
			`{"authorization":"Basic ` + pair + `"}`,
			"Authorization: Bearer " + token,
			base64.StdEncoding.EncodeToString([]byte("Authorization: Bearer " + token + "\nHost: x")),
			`curl -H "Authorization: Bearer AAAAAAAAAAAAAAAAAAAAA` + m.text(alnumChars, 9) + `AAAAAAA` + m.text(alnumChars, 20) + `4%2B` + m.text(alnumChars, 12) + `%3D` + m.text(alnumChars, 49) + `7"`,
		} {
			require.NotEmpty(t, r.Scan([]byte(text)), text)
		}
		for _, text := range []string{
			`curl -H "Authorization: Bearer $TOKEN" -H 'Authorization: Bearer <token>' -H "Authorization: Bearer ${API_TOKEN:-none}"`,
			`headers["Authorization"] = "Bearer " + refreshedAccessTokenOfTheUser`,
			`"Bearer getAccessTokenFromSession1"`,
			`'Basic realm="Access to the staging site"' "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" Authorization: Basic dXNlcjpwYXNzd29yZA==`,
			"x Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:password123")),
			" Authorization: Bearer mF_9.B5f-4.1JqM\n Authorization: Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW\n",
			"Authorization: Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3", // RFC 6749, section 2.3.1
			"the authorization header: basic information about bearer tokens of " + m.uuid(),
		} {
			require.Empty(t, r.Scan([]byte(text)), text)
		}
	}
}

func TestPasswordsOfCommands(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(20)) {
		m := newMaker(950 + seed)
		password := m.text(alnumChars, 14) + "4t"
		for _, text := range []string{
			"docker login -u acme -p " + password + " registry.corp.net",
			"docker login registry.corp.net \\\n  --username acme \\\n  -p " + password + "\n",
			"helm registry login -u acme -p '" + password + "' registry.corp.net",
			"mysql -h db.corp.net -u root -p" + password + " shop",
			`{"command":"mysqldump --single-transaction -uroot -p'` + password + `' shop > x.sql"}`,
			`{"command":"mysql -uroot -p\"` + password + `\" shop"}`,
			"mongosh mongodb.corp.net -u admin -p " + password,
			"redis-cli -h cache.corp.net -a " + password + " ping",
			"sqlcmd -S db -U sa -P " + password + " -Q 'select 1'",
		} {
			found := r.Scan([]byte(text))
			require.Len(t, found, 1, text)
			require.Equal(t, password, text[found[0].Start:found[0].End], text)
		}
		for _, text := range []string{
			`docker login -u AWS -p "$TOKEN" x; docker login -u acme -p <password>; docker login --password-stdin -u acme9 registry9.corp.net`,
			"docker run --name mysql -p 127.0.0.1:3306:3306 mysql -p3306:3306; mysql -u root -p shop4prod",
			"mysql -u root -p\ndocker4prod9x", `{"command":"mysql -u root -p\ndocker4prod9x"}`,
			"mysql -u root; psql -p" + password,
			"redis-cli -h cache4prod9x.corp.net; redis-cli -a $REDIS_PASSWORD1",
			`{"command":"mysql -u root\n-p` + password + `"}`,
		} {
			require.Empty(t, r.Scan([]byte(text)), text)
		}
	}
}

func TestKeysThatOnlyOneProgramHas(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(20)) {
		m := newMaker(980 + seed)
		salt := m.text(stdChars, 40) + "kZ7" + m.text("!#$%^*()-_[]{}|~", 21)
		for _, text := range []string{
			"define('AUTH_KEY',         '" + salt + "');",
			"define( 'SECURE_AUTH_SALT', '" + salt + "' );",
			"NONCE_SALT='" + salt + "'\n",
			`{"content":"define('LOGGED_IN_KEY',    '` + salt + `');\n"}`,
			"wandb_v1_" + m.text(alnumChars, 27) + "_" + m.text(alnumChars, 49),
			"init('sdk-" + strings.ToLower(m.uuid()) + "')",
			"RECAPTCHA_SECRET_KEY=6Lf" + m.text(urlChars, 36) + "4\n",
			"hcaptcha_secret: 0x" + m.text(hexChars, 39) + "a\n",
		} {
			require.NotEmpty(t, r.Scan([]byte(text)), text)
		}
		for _, text := range []string{
			"define('AUTH_KEY',         'put your unique phrase here');",
			"define('AUTH_KEY', getenv('AUTH_KEY')); define('SECURE_AUTH_KEY', getenv('SECURE_AUTH_KEY')); define('LOGGED_IN_KEY', x);",
			"RECAPTCHA_SECRET_KEY=6LeIxAcTAAAAAGG-vFI1TnRWxMZNFuojJ4WifJWe", // Google's, for tests
			"RECAPTCHA_SITE_KEY=6Lf" + m.text(urlChars, 36) + "4\n",
		} {
			require.Empty(t, r.Scan([]byte(text)), text)
		}
	}
}

func TestGeneralNamesOfKeys(t *testing.T) {
	r := builtin(t)
	for seed := range few(uint64(20)) {
		m := newMaker(990 + seed)
		hex40 := m.text(hexChars, 39) + "a"
		for _, text := range []string{
			"service_key: " + hex40, `"serviceKey":"` + hex40 + `"`, "signing_key = " + hex40[:32], "signing-key: " + hex40[:32],
			"private_key=" + m.text(hexChars, 63) + "a", "private_key=" + m.text(hexChars, 50) + "f23a94123ae0b7", `"privateKey": "` + m.text(stdChars, 42) + `4="`,
			"SECRET=" + hex40, `const secret = "` + hex40 + `";`, "  secret: " + m.text(alnumChars, 30) + "4t\n", "TOKEN=" + m.text(alnumChars, 38) + "4t",
			"here is my app secret: " + m.text(alnumChars, 30) + "4t.",
			"my encryption key: " + m.text(hexChars, 63) + "a",
		} {
			require.NotEmpty(t, r.Scan([]byte(text)), text)
		}
		for _, text := range []string{
			"checksum/secret: " + m.text(hexChars, 63) + "a\n", "arn:aws:secretsmanager:eu-west-1:1:secret:prod/app-" + m.text(alnumChars, 20) + "4t",
			"(1,'secret','" + hex40 + "')", "kubectl get secret " + hex40, "secret: " + m.uuid(),
			"signing_key=" + strings.ToUpper(hex40), "user.signingkey " + hex40[:16], "using RSA signing key " + hex40, "service_key: " + m.uuid(), "device_key: " + hex40, "private_key: " + hex40,
			"private_key: 0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", "service.key" + "\x12 " + m.text(hexChars, 31) + "a",
			"the csrf token is " + hex40, "the page token: " + hex40, "unexpected token " + hex40, "    token: " + m.uuid() + "\n",
			"MAX_TOKEN=4096 TOKEN=$(cat token) SECRET=${SECRET} SECRET=/run/secrets/app-4t-9x-7z-2k",
		} {
			require.Empty(t, r.Scan([]byte(text)), text)
		}
	}
}
