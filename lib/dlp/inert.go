package dlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
)

// What stands where a key or a password would, looks made by chance, and is neither.

// untilPlus is v up to a +, behind which another word stands if a form writes its spaces so.
func untilPlus(v []byte) []byte {
	if n := bytes.IndexByte(v, '+'); n > 0 {
		return v[:n]
	}
	return v
}

// inert reports whether v is a value of those that are published, encrypted, for everybody, or no value at all.
func inert(v []byte) bool {
	return published(v) || sealed(v) || filePath(v) || forClients(v) || stepwise(v) || mangled(v) || publicHalf(v)
}

// publicHalf reports whether v is what somebody gives away to be known by: an address of Ethereum, which tokens of another kind have, a point
// on P-256 in base64, as servers of Web Push have, and minisign's keys and signatures. Random text of the same length is none but once in a
// thousand. The private halves are of other lengths.
func publicHalf(v []byte) bool {
	switch len(v) {
	case 42: // a private key has 66
		return bytes.HasPrefix(v, []byte("0x")) && isDigest(v[2:])
	case 87, 88: // an uncompressed point begins with 4 (SEC 1 §2.3.3)
		point := bytes.TrimRight(v, "=")
		return len(point) == 87 && point[0] == 'B' && point[1] >= 'A' && point[1] <= 'P'
	case 56, 100: // what is signed or signs begins with Ed or ED; a secret key has 212
		return v[0] == 'R' && (v[1] == 'W' || v[1] == 'U') && v[2] >= 'Q' && v[2] <= 'T'
	}
	return false
}

// awsExample is the secret key in Amazon's documentation.
const awsExample = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

func published(v []byte) bool {
	if len(v) <= len(awsExample) && bytes.HasPrefix(v, []byte(awsExample[:21])) { // often in pieces
		return true
	}
	return slices.Contains(publishedValues, string(v)) || slices.ContainsFunc(emulatorKeys, func(key []byte) bool { return bytes.Equal(v, key) })
}

// camelCase reports whether v is made of words that begin with capitals, as the names of types and functions are: UserByIdV2Response.
// Random text has more capitals next to each other, letters that stand alone and changes of kind, few words of four letters, and few vowels.
func camelCase(v []byte) bool {
	words, capitals, letters, long, odd, vowels, rare := 0, 0, 0, 0, 0, 0, 0
	for _, c := range v {
		switch {
		case bytes.IndexByte([]byte("aeiouy"), c|0x20) >= 0:
			vowels++
		case bytes.IndexByte([]byte("jqxz"), c|0x20) >= 0:
			rare++
		}
	}
	for i := 0; i < len(v); words++ {
		begin := i
		switch c := v[i]; {
		case digit[c]:
			i = endOf(digit, v, i)
		case lower[c]:
			i = endOf(lower, v, i)
			if begin > 0 && alnum[v[begin-1]] {
				odd++ // it begins behind a digit
			}
		case upperLetter[c]:
			if i = endOf(lower, v, i+1); i > begin+1 {
				capitals++
				break
			}
			if i = endOf(upperLetter, v, i); i < len(v) && lower[v[i]] {
				i-- // an acronym ends before the next word
			}
			odd++
		case c == '.' || c == '_' || c == '/' || c == ':':
			i++
			words--
			continue
		default:
			return false
		}
		if letters += i - begin; i-begin > 3 && lower[v[i-1]] {
			long += i - begin
		}
	}
	return capitals > 2 && odd < 3 && words*3 <= letters && long*5 >= letters*2 && vowels*10 >= letters*3 && rare*10 <= letters
}

// endOf returns where the run of c in v ends that goes on at i.
func endOf(c *class, v []byte, i int) int {
	for i < len(v) && c[v[i]] {
		i++
	}
	return i
}

// notID is namedKey without what is written in capitals after the _KEY of names: ids and fingerprints of OpenPGP keys, as in
// SIGNING_KEY=A62A…, and ULIDs.
func notID(v []byte) (length int, ok bool) {
	length, ok = namedKey(v)
	id := bytes.TrimPrefix(untilPlus(bytes.TrimLeft(v[:length], "+")), []byte("0x"))
	alphabet := "0123456789ABCDEF"
	switch {
	case len(id) == 26 && id[0] < '8':
		alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	case len(id) != 16 && len(id) != 40:
		return length, ok
	}
	return length, ok && len(bytes.Trim(id, alphabet)) > 0
}

// notAccessID is namedKey without what is an id, and not the key that belongs to it: those of stores like S3.
func notAccessID(v []byte) (length int, ok bool) {
	length, ok = namedKey(v)
	return length, ok && hasAll(v[:length], lower, upperLetter)
}

// notFingerprint is namedKey without what is hexadecimal and as long as a fingerprint or an id of a key of OpenPGP.
func notFingerprint(v []byte) (length int, ok bool) {
	length, ok = namedKey(v)
	id := bytes.TrimPrefix(v[:length], []byte("0x"))
	return length, ok && (len(id) != 16 && len(id) != 40 || len(bytes.Trim(id, "0123456789ABCDEFabcdef")) > 0)
}

// privateKey is namedKey without the ids and fingerprints of keys, and the keys that documentation has and development nodes print.
func privateKey(v []byte) (length int, ok bool) {
	length, ok = notUUID(v)
	key := bytes.TrimPrefix(v[:length], []byte("0x"))
	return length, ok && len(key) > 40 && !ofDevelopmentNode(key) && !slices.Contains(wireguardExamples, string(key))
}

// notUUID is namedKey without UUIDs, which are the ids of keys that a service keeps.
func notUUID(v []byte) (length int, ok bool) {
	length, ok = namedKey(v)
	return length, ok && !(length == 36 && bytes.Count(v[:length], []byte("-")) == 4)
}

// filePath reports whether v is the path of a file: builds/5e8d….zip. Base64 has the slash, but no dot.
func filePath(v []byte) bool {
	slash, dot := bytes.IndexByte(v, '/'), bytes.LastIndexByte(v, '.')
	if slash <= 0 || dot < slash {
		return false
	}
	extension := v[dot+1:]
	return len(extension) > 1 && len(extension) < 5 && len(bytes.Trim(extension, "abcdefghijklmnopqrstuvwxyz")) == 0
}

// sealed reports whether v is a secret that somebody encrypted to be published: dotenvx, Vault's transit engine, and what Travis and
// AppVeyor call secure.
func sealed(v []byte) bool {
	return bytes.HasPrefix(v, []byte("encrypted:")) || bytes.HasPrefix(v, []byte("vault:v")) || bytes.HasPrefix(v, []byte("secure:"))
}

// mangled reports whether v is a symbol of a program in C++ or Rust: a Z and names with their lengths before them, or RNv. A table of
// symbols has one behind the other, get_token and _ZN2v88internal9CodeRange.
func mangled(v []byte) bool {
	v = bytes.TrimLeft(v, "_")
	if bytes.HasPrefix(v, []byte("RNv")) || bytes.HasPrefix(v, []byte("RIN")) { // Rust's own, where hashes stand amid the names
		return true
	}
	if len(v) == 0 || v[0] != 'Z' {
		return false
	}
	names, named := 0, 0
	for i := 1; i < len(v); {
		n := 0
		for ; i < len(v) && digit[v[i]] && n < 100; i++ {
			n = 10*n + int(v[i]-'0')
		}
		name := v[i:min(i+n, len(v))]
		small := 0
		for _, c := range name {
			if lower[c] || c == '_' {
				small++
			}
		}
		if len(name) > 3 && small*4 >= len(name)*3 {
			names, named = names+1, named+len(name)
		}
		i += max(len(name), 1)
	}
	return names > 1 && named*5 >= len(v)*2
}

// forClients reports whether v is a key that is delivered to every visitor: Statsig's for clients, and Datadog's for browsers.
func forClients(v []byte) bool {
	return len(v) == 50 && bytes.HasPrefix(v, []byte("client-")) || len(v) == 35 && bytes.HasPrefix(v, []byte("pub")) && isDigest(v[3:])
}

// stepwise reports whether v is hex of bytes that go up or down by the same step, as 00112233… and 000102….
func stepwise(v []byte) bool {
	var b [64]byte
	n, err := hex.Decode(b[:], v[:min(len(v), 2*len(b))&^1])
	if err != nil || n < 3 {
		return false
	}
	for i := 2; i < n; i++ {
		if b[i]-b[i-1] != b[1]-b[0] {
			return false
		}
	}
	return true
}

// ldapHash reports whether v is base64 of a password's hash as LDAP keeps it: {SSHA} and its own base64 (RFC 2307 §5.3).
func ldapHash(v []byte) bool {
	var text [12]byte
	n, err := base64.StdEncoding.Decode(text[:], v[:min(len(v), 16)&^3])
	end := bytes.IndexByte(text[:n], '}')
	return err == nil && end > 2 && text[0] == '{' && len(bytes.Trim(text[1:end], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")) == 0
}

// emulatorKeys are the keys of Azurite and of the Cosmos DB emulator, the same for everybody.
var emulatorKeys = [][]byte{
	[]byte("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="),
	[]byte("C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="),
}

// notEmulators reports whether m does not end in one of the emulatorKeys.
func notEmulators(m []byte) bool {
	for _, key := range emulatorKeys {
		if bytes.HasSuffix(m, key) {
			return false
		}
	}
	return true
}

// dense returns a check for random text behind a prefix of n characters that is no base64 of tables or code, in which zeros make an A of
// more than one in share characters, nor lines of hexadecimal digits.
func dense(n, share int) func(m []byte) bool {
	return func(m []byte) bool {
		body := m[n:]
		return randomText(m) && bytes.Count(body, []byte("A"))*share < len(body) && len(bytes.Trim(body, "0123456789ABCDEF")) > 0
	}
}
