package corpus

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strings"
)

// built are the credentials of which a part follows from the rest.
func (m maker) built() []credential {
	one := func(class, name, value string) credential { return credential{class: class, name: name, value: value} }
	file := func(class, name, value string) credential {
		return credential{class: class, name: name, value: value, file: true}
	}
	std := base64.StdEncoding
	pair := std.EncodeToString([]byte("deploy:" + m.form("[a18]4t")))
	discord := base64.RawURLEncoding.EncodeToString([]byte("1"+m.text(digits, 17))) + "." + m.form("[u6].[u36]aZ")
	awsID, awsSecret := m.form("AKIA[b16]"), m.form("[s38]x7")
	all := []credential{
		one("GitHub personal token", "GITHUB_TOKEN", m.withCRC("ghp")),
		one("GitHub OAuth token", "GH_TOKEN", m.withCRC("gho")),
		one("GitHub user token", "GITHUB_TOKEN", m.withCRC("ghu")),
		one("GitHub server token", "GITHUB_TOKEN", m.withCRC("ghs")),
		one("GitHub refresh token", "refresh_token", m.withCRC("ghr")),
		one("GitHub installation token", "GITHUB_TOKEN", "ghs_"+m.text(digits, 7)+"_"+m.jwt("RS256", 342)),
		one("GitHub token in a remote's URL", "url", "https://x-access-token:"+m.withCRC("ghs")+"@github.com/acme/app.git"),
		one("npm token", "NPM_TOKEN", m.withCRC("npm")),
		one("JWT, HS256", "access_token", m.jwt("HS256", 43)),
		one("JWT, RS256", "id_token", m.jwt("RS256", 342)),
		one("JWT, ES256", "session", m.jwt("ES256", 86)),
		one("Supabase service role key", "SUPABASE_SERVICE_ROLE_KEY", m.supabase()),
		one("Grafana Cloud token", "GRAFANA_CLOUD_TOKEN", "glc_"+std.EncodeToString([]byte(`{"o":"`+m.text(digits, 6)+`","n":"stack-1-ci","k":"`+m.text(alnums, 24)+`","m":{"r":"us"}}`))),
		one("Grafana key, old form", "GRAFANA_API_KEY", std.EncodeToString([]byte(`{"k":"`+m.text(alnums, 32)+`","n":"ci-key","id":1}`))),
		one("Cloudflare Tunnel token", "TUNNEL_TOKEN", std.EncodeToString([]byte(`{"a":"`+m.hex(32)+`","t":"`+m.uuid()+`","s":"`+m.text(alnums, 44)+`"}`))),
		one("Discord bot token by itself", "bot", discord),
		one("age identity", "AGE_KEY", m.age()),
		one("secret of a one-time password", "otp", "otpauth://totp/Acme:ops?secret="+m.form("[b32]")+"&issuer=Acme"),
		{class: "Django secret key", name: "SECRET_KEY", value: m.form("k3[l18]@#7^[l12]!*(-_[l8]q"), named: true},
		{class: "Discord bot token", name: "DISCORD_TOKEN", value: discord, named: true},
		{class: "WireGuard private key", name: "PrivateKey", value: m.wireguard(), named: true},

		file(".npmrc with a token", ".npmrc", "registry=https://npm.acme-internal.net/\n//npm.acme-internal.net/:_authToken="+m.form("[h8]-[h4]-4[h3]-a[h3]-[h12]")+"\nalways-auth=true\n"),
		file(".npmrc with a password", ".npmrc", "//npm.acme-internal.net/:_auth="+pair+"\nemail=ci@acme.example\n"),
		file(".npmrc of old", ".npmrc", "_auth="+pair+"\nalways-auth=true\n"),
		file(".netrc", ".netrc", "machine git.acme-internal.net\n  login deploy\n  password "+m.form("[a20]7k")+"\n"),
		file(".npmrc with a user and a password", ".npmrc", "//npm.acme-internal.net/:username=deploy\n//npm.acme-internal.net/:_password="+std.EncodeToString([]byte(m.form("[a14]4t")))+"\n"),
		file(".pgpass", ".pgpass", "db.acme-internal.net:5432:main:app:"+m.form("[a16]7k\n")),
		file("curl with a password", "deploy.sh", "curl -sf -u deploy:"+m.form("[a16]7k")+" https://git.acme-internal.net/\n"),
		file("docker with a password", "deploy.sh", "docker login registry.acme-internal.net -u deploy -p "+m.form("[a16]7k")+"\n"),
		file("mysqldump with a password", "backup.sh", "mysqldump --single-transaction -h db -u root -p"+m.form("[a16]7k")+" shop\n"),
		file("curl with a token", "deploy.sh", "curl -sf https://api.acme-internal.net/v1/items \\\n  -H 'Authorization: Bearer "+m.form("[a40]7k")+"'\n"),
		file("wp-config.php", "wp-config.php", "<?php\ndefine( 'AUTH_KEY',         '"+m.form("k7[a30]!$[a28]Z(")+"' );\n"),
		file("JSON Web Key", "key.json", `{"kty":"OKP","crv":"Ed25519","kid":"ci","d":"`+m.form("[u41]aZ")+`"}`),
		file(".netrc on one line", ".netrc", "machine api.heroku.com login me@acme.example password "+m.form("[a26]7k")+"\n"),
		file("Docker config", "config.json", "{\n\t\"auths\": {\n\t\t\"registry.acme-internal.net\": {\n\t\t\t\"auth\": \""+pair+"\"\n\t\t}\n\t}\n}\n"),
		file("AWS credentials file", "credentials", "[default]\naws_access_key_id = "+awsID+"\naws_secret_access_key = "+awsSecret+"\nregion = eu-central-1\n"),
		file("AWS credentials of a role", "creds.json", `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"`+m.form("ASIA[b16]")+`","SecretAccessKey":"`+m.form("[s38]x7")+`","Token":"IQoJb3JpZ2luX2VjE`+m.form("[s400]")+`","Expiration":"2027-01-01T00:00:00Z"}`),
		file(".pypirc", ".pypirc", "[pypi]\nusername = __token__\npassword = pypi-AgEIcHlwaS5vcmcC"+m.form("[u150]")+"\n"),
		file("git credentials", ".git-credentials", "https://deploy:"+m.withCRC("ghp")+"@github.com\n"),
		file("Google service account", "key.json", m.serviceAccount()),
		file("kubeconfig", "config", "apiVersion: v1\nkind: Config\nusers:\n- name: admin\n  user:\n    client-key-data: "+std.EncodeToString([]byte(m.pem("EC PRIVATE KEY", 3)))+"\n"),
		file("PuTTY key", "id.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: me@laptop\nPublic-Lines: 2\nAAAAC3NzaC1lZDI1NTE5AAAAI"+m.form("[s39]\n[s4]")+"\nPrivate-Lines: 1\n"+m.form("[s43]=\nPrivate-MAC: [h64]\n")),
		file("WireGuard configuration", "wg0.conf", "[Interface]\nPrivateKey = "+m.wireguard()+"\nAddress = 10.8.0.2/24\n"),
		file("PGP private key", "secret.asc", "-----"+"BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQdGBG"+m.form("[s58]")+"\n"+m.repeat(8, func(int) string { return m.form("[s64]\n") })+m.form("=[s4]\n")+"-----END PGP PRIVATE KEY BLOCK-----\n"),
	}
	for _, label := range []string{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"} {
		all = append(all, file(strings.ToLower(label), "key.pem", m.pem(label, 8)))
	}
	return append(all, file("encrypted RSA key, old form", "key.pem", "-----"+"BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"+m.form("[H32]\n\n")+m.repeat(8, func(int) string { return m.form("[s64]\n") })+"-----END RSA PRIVATE KEY-----\n"))
}

// credentials makes one of each class.
func (m maker) credentials() []credential {
	var all []credential
	for _, f := range forms {
		all = append(all, credential{class: f.class, name: f.name, value: m.form(f.form), named: f.named})
	}
	return append(all, m.built()...)
}

// withCRC makes a token whose last six characters are the CRC-32 of the 30
// before them in base 62, as GitHub and npm do.
func (m maker) withCRC(prefix string) string {
	const base62 = digits + uppers + lowers
	body := m.text(alnums, 30)
	sum := crc32.ChecksumIEEE([]byte(body))
	var check [6]byte
	for i := len(check) - 1; i >= 0; i-- {
		check[i] = base62[sum%62]
		sum /= 62
	}
	return prefix + "_" + body + string(check[:])
}

func (m maker) jwt(alg string, signature int) string {
	enc := base64.RawURLEncoding
	header := fmt.Sprintf(`{"alg":"%s","typ":"JWT","kid":"%s"}`, alg, m.hex(16))
	claims := fmt.Sprintf(`{"iss":"https://login.acme-internal.net/","sub":"auth0|%s","aud":["https://api.acme-internal.net"],"iat":%d,"exp":%d,"scope":"openid profile %s"}`,
		m.hex(24), 1764000000+m.IntN(1e6), 1765000000+m.IntN(1e6), m.word())
	return enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims)) + "." + m.form(fmt.Sprintf("[u%d]", signature))
}

func (m maker) supabase() string {
	enc := base64.RawURLEncoding
	claims := `{"iss":"supabase","ref":"` + m.text(lowers, 20) + `","role":"service_role","iat":1700000000,"exp":2015000000}`
	return enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(claims)) + "." + m.form("[u43]")
}

// pem is a key block of so many full lines. What is in it is random behind the
// bytes that such keys begin with.
func (m maker) pem(label string, lines int) string {
	begin := "MIIE"
	switch label {
	case "OPENSSH PRIVATE KEY":
		begin = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB"
	case "EC PRIVATE KEY":
		begin = "MHcCAQEE"
	}
	body := begin + m.text(alphabets['s'], lines*64-len(begin))
	var b strings.Builder
	fmt.Fprintf(&b, "-----%s %s-----\n", "BEGIN", label)
	for ; len(body) > 64; body = body[64:] {
		b.WriteString(body[:64] + "\n")
	}
	fmt.Fprintf(&b, "%s\n%s==\n-----%s %s-----\n", body, m.text(alphabets['s'], 22), "END", label)
	return b.String()
}

func (m maker) wireguard() string {
	key := m.bytes(32)
	key[0] &= 0xf8
	key[31] = key[31]&0x7f | 0x40
	return base64.StdEncoding.EncodeToString(key)
}

func (m maker) serviceAccount() string {
	key := strings.ReplaceAll(m.pem("PRIVATE KEY", 25), "\n", `\n`)
	return fmt.Sprintf("{\n  \"type\": \"service_account\",\n  \"project_id\": \"acme-prod\",\n  \"private_key_id\": \"%s\",\n  \"private_key\": \"%s\",\n  \"client_email\": \"ci@acme-prod.iam.gserviceaccount.com\",\n  \"client_id\": \"%s\"\n}\n",
		m.hex(40), key, m.text(digits, 21))
}

// age makes an identity, in Bech32 (BIP 173).
func (m maker) age() string {
	const alphabet, prefix = "qpzry9x8gf2tvdw0s3jn54khce6mua7l", "age-secret-key-"
	var data []uint32
	for range 52 {
		data = append(data, m.Uint32()%32)
	}
	data[51] &= 16 // 256 bits, and padding
	sum := uint32(1)
	feed := func(v uint32) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ v
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for _, c := range []byte(prefix) {
		feed(uint32(c) >> 5)
	}
	feed(0)
	for _, c := range []byte(prefix) {
		feed(uint32(c) & 31)
	}
	text := prefix + "1"
	for _, v := range data {
		feed(v)
		text += alphabet[v : v+1]
	}
	for range 6 {
		feed(0)
	}
	sum ^= 1
	for i := range 6 {
		v := sum >> (5 * (5 - i)) & 31
		text += alphabet[v : v+1]
	}
	return strings.ToUpper(text)
}
