package dlp

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// eachByte writes each byte of s as format says.
func eachByte(format, s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func TestEscapesOfManyLanguagesAreUndone(t *testing.T) {
	r := builtin(t)
	token := newMaker(900).github()
	for _, format := range []string{`\%03o`, `\u{%x}`, `\U%08x`, `\x%02x`, `\\%03o`, `\\u{%04x}`} {
		for _, text := range []string{eachByte(format, token), `{"k":"` + eachByte(format, "see "+token+" there") + `"}`,
			token[:5] + eachByte(format, token[5:20]) + token[20:]} {
			found := r.Scan([]byte(text))
			require.Len(t, found, 1, "%s: %q", format, text)
			require.Equal(t, "github-token", found[0].Rule)
		}
	}
	require.Len(t, r.Scan([]byte(`printf "\012`+token+`\012"`)), 1)
	for _, text := range []string{`C:\Users\101\U1`, `\1 \0 \10 \u{} \u{110000000}`, `s/\(a\)\(b\)/\1\0/`} {
		require.Empty(t, r.Scan([]byte(text)))
	}
}

func TestColorsOfATerminalPartWords(t *testing.T) {
	r := builtin(t)
	m := newMaker(901)
	token, key := "sbp_"+m.text(hexChars, 40), m.text(alnumChars, 30)+"a1B"
	for _, escape := range []string{"\x1b", `\u001b`, `\x1b`, `\033`, `\e`, "^["} {
		for _, color := range []string{"[31m", "[01;31m", "[38;5;208m", "[m" + escape + "[K"} {
			on, off := escape+color, escape+"[0m"
			for _, text := range []string{on + token + off, "a " + on + "token" + off + "=" + on + token + off + " b"} {
				require.Len(t, r.Scan([]byte(text)), 1, "%q", text)
			}
			if escape != `\e` && escape != "^[" {
				text := on + "ACME_API_KEY" + off + "=" + on + key + off
				require.Len(t, r.Scan([]byte(text)), 1, "%q", text)
			}
		}
	}
	for _, text := range []string{"31m" + token, "[31m" + token, "x[31m" + token, "\x1b[xm" + token, "\x1b31m" + token} {
		require.Empty(t, r.Scan([]byte(text)), "%q", text)
	}
	require.Empty(t, r.Scan([]byte("rm"+"AKIA"+m.text(base32Chars, 16)+"Z")))
}

func TestABase64LineMayEndBeforeAWord(t *testing.T) {
	r := builtin(t)
	m := newMaker(902)
	for _, token := range []string{"AIza" + m.text(urlChars, 35), "re_" + m.text(alnumChars, 6) + "aZ_" + m.text(alnumChars, 22) + "aZ", "hf_" + m.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 34)} {
		for n := range 3 {
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("=", n) + token))
			for _, text := range []string{"see below\n" + encoded + "\nand above\n", encoded + "\r\nand", "blob=" + encoded + "\n  and\n"} {
				require.NotEmpty(t, r.Scan([]byte(text)), "%q", text)
			}
		}
	}
}

func TestValuesBehindNamesInMoreLanguages(t *testing.T) {
	r := builtin(t)
	m := newMaker(903)
	for range 20 {
		key, hexKey, password := m.text(alnumChars, 30)+"a1B", m.text(hexChars, 30)+"a1", m.text("abcdefXYZ", 9)+"%Z7"+m.text(alnumChars+"!^", 6)
		for _, text := range []string{
			`public string ApiKey { get; set; } = "` + key + `";`,
			`public string ApiKey { get; private init; } = "` + key + `";`,
			"Settings(host='db', api_key=SecretStr('" + key + "'), port=5)",
			"my $api_key = q{" + key + "};",
			`api_key = b"` + key + `"`, `let api_key = r"` + key + `";`, `ApiKey = @"` + key + `";`,
			"$ gh secret set ACME_API_KEY --body \"" + key + "\"",
			"$ aws ssm put-parameter --name /prod/ACME_API_KEY --type SecureString --value '" + key + "'",
			"access_key: " + key, "s3.accessKey=" + key,
			"encryption_key = \"" + hexKey + "\"", "Ocp-Apim-Subscription-Key: " + hexKey, "signingKey: " + hexKey,
			"app.secret=" + hexKey, "config.token = '" + key + "'",
			"DB_PASSWORD=" + password, `"password": "` + password + `"`,
			"define('DB_PASSWORD', '" + key + "');", `getOrElse("db.password", "` + key + `")`,
			"passphrase: " + key, "db_pwd=" + key, "smtp_pass = " + key, "Server=db;Uid=sa;Pwd=" + key + ";",
			`password: "aB3$` + `xY9!"`, `password = "qW7#` + `kLp2!x"`, `password = "xQ!v` + `TzmW#nRtYk"`,
		} {
			require.Len(t, r.Scan([]byte(text)), 1, "%q", text)
		}
	}
	for _, text := range []string{
		"signing_key: 4AEE18F83AFDEB23A0B1C2D3E4F5061728394A5B", // an OpenPGP fingerprint
		`kms_encryption_key = "1234abcd-12ab-34cd-56ef-1234567890ab"`,
		"access_key: Q3AM3UQ867SPQQA43P2F", "description_key: " + "9f86d0818" + "84c7d65",
		"PWD=/home/jo/src/3kFz9Qw7Lm", "OLDPWD=/tmp/tmpAb3dE9xZ", "cwd=/x pwd: ~/a7Bc9De1",
		`password: "Passw0rd!"`, `password: "Summer2024!"`, `password: "P@ss1234"`, `password: "Qwerty1!"`, "password=%24%7BDB_PASSWORD%7D", `"password": newPassword!`,
		"csrf.token = '" + m.text(alnumChars, 30) + "'", "page.token=" + m.text(alnumChars, 30),
		`["username", "password", "email_verified"]`, `passwd = getpass.getpass("Enter: ")`,
	} {
		require.Empty(t, r.Scan([]byte(text)), "%q", text)
	}
}

func TestSmallerForms(t *testing.T) {
	r := builtin(t)
	m := newMaker(904)
	password := m.text(alnumChars, 12) + "a1B"
	django := "z8" + m.text("abcdefgh0123456789", 30) + "#%@!^*(-_=+" + m.text("abcdefgh0123456789", 7)
	for want, text := range map[string]string{
		"basic-auth-url":    "https://jo@corp.net:" + password + "@git.corp.net/x.git",
		"database-url":      "postgres://app:kettle-Orbit-" + "walnut@pg.corp.net/app",
		"npmrc-auth-of-all": "_auth=" + base64.StdEncoding.EncodeToString([]byte("ci:"+password)),
		"otpauth-secret":    "otpauth://totp/Corp:bob?secret=" + m.text(base32Chars, 32) + "&issuer=Corp",
		"django-secret-key": "SECRET_KEY = '" + django + "'",
	} {
		found := r.Scan([]byte(text))
		require.Len(t, found, 1, text)
		require.Equal(t, want, found[0].Rule)
	}
	for _, text := range []string{
		"http://jo@corp.net:8080?to=Bob7x@corp.net",
		"postgres://app:your-password-here@db.corp.net/x", "postgres://user:some-user-name@db.corp.net/x",
		"otpauth://totp/Example:alice@google.com?secret=JBSWY3DPEHPK3PXP&issuer=Example",
		"SECRET_KEY = 'django-insecure-" + django + "'",
		"x_auth=dHJ1ZQ==", "_auth=abcdefabcdefabcdef",
	} {
		require.Empty(t, r.Scan([]byte(text)), "%q", text)
	}
	key := m.pem("RSA PRIVATE KEY")
	for _, text := range []string{"// " + strings.ReplaceAll(key, "\n", "\n// "), "-" + strings.ReplaceAll(key, "\n", "\n-"), "-- " + strings.ReplaceAll(key, "\n", "\n-- "),
		base64.StdEncoding.EncodeToString([]byte("k=" + strings.NewReplacer(" ", "+", "\n", "%0A", "+", "%2B", "/", "%2F").Replace(key)))} {
		require.NotEmpty(t, r.Scan([]byte(text)), "%q", text)
	}
}

func TestShortKnownValuesInPieces(t *testing.T) {
	r := knowing(t, "kq7vt"+"z2m", "Rk3v"+"Tq9Z", "summer2024", "a1b2c3d4")
	for _, text := range []string{"kq7v-tz2m", "k q 7 v t z 2 m", "kq7\nvtz\n2m", `"kq7v", "tz2m"`, hex.EncodeToString([]byte("x kq7vtz2m")), "Rk3v.Tq9Z"} {
		require.Len(t, r.Scan([]byte(text)), 1, "%q", text)
	}
	for _, text := range []string{"summer 2024", "a1, b2, c3, d4", "KQ7V TZ2M", "rk3v tq9z", "kq7v tz2", "q7vtz2m"} {
		require.Empty(t, r.Scan([]byte(text)), "%q", text)
	}
}

func TestKnownValuesOfOtherAlphabets(t *testing.T) {
	for _, value := range []string{"Grüße-aus-Köln-1848", "秘密的钥匙在这里九七"} {
		r := knowing(t, value)
		forms := asBytes([]byte(value))
		require.Len(t, forms, 3)
		for _, form := range forms[:2] {
			require.NotEmpty(t, r.Scan([]byte("\x00 "+string(form)+" \x00")), value)
			require.NotEmpty(t, r.Scan([]byte(`{"b":"`+base64.StdEncoding.EncodeToString(append([]byte("ab"), form...))+`"}`)), value)
		}
		require.Len(t, r.Scan([]byte(`b'`+eachByte(`\x%02x`, value)+`'`)), 1, value)
	}
}

// Unicode's mathematical alphabets leave out letters that it had before, such as the italic h and the double-struck R.
func TestLettersOfMathematicalAlphabets(t *testing.T) {
	r := builtin(t)
	token := "glpat-" + newMaker(907).text(alnumChars, 20)
	for name, holes := range map[string]string{"italic": "h=ℎ", "script": "B=ℬ E=ℰ F=ℱ H=ℋ I=ℐ L=ℒ M=ℳ R=ℛ e=ℯ g=ℊ o=ℴ", "fraktur": "C=ℭ H=ℌ I=ℑ R=ℜ Z=ℨ", "double-struck": "C=ℂ H=ℍ N=ℕ P=ℙ Q=ℚ R=ℝ Z=ℤ"} {
		base := map[string]rune{"italic": 0x1D434, "script": 0x1D49C, "fraktur": 0x1D504, "double-struck": 0x1D538}[name]
		written := strings.Map(func(c rune) rune {
			if i := strings.Index(holes, string(c)+"="); i >= 0 {
				return []rune(holes[i+2:])[0]
			}
			switch {
			case c >= 'A' && c <= 'Z':
				return base + c - 'A'
			case c >= 'a' && c <= 'z':
				return base + 26 + c - 'a'
			}
			return c
		}, token)
		require.Len(t, r.Scan([]byte("key "+written+" end")), 1, "%s: %s", name, written)
	}
	require.Len(t, r.Scan([]byte(strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return 'Ⓐ' + c - 'A'
		case c >= 'a' && c <= 'z':
			return 'ⓐ' + c - 'a'
		}
		return c
	}, token))), 1)
}

func TestHexadecimalNumbersOfManyDigits(t *testing.T) {
	r := builtin(t)
	for _, token := range []string{newMaker(908).github(), "AKIA" + newMaker(909).text(base32Chars, 16)} {
		for _, text := range []string{"SELECT 0x" + hex.EncodeToString([]byte(token)) + ";", "blob=0x" + strings.ToUpper(hex.EncodeToString([]byte(token))), "x0x" + hex.EncodeToString([]byte(token))} {
			require.Len(t, r.Scan([]byte(text)), 1, "%q", text)
		}
	}
}
