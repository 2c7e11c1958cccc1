package dlp

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A string's length stands before it, as a byte that may be a letter or a digit.
func TestSecretsBehindTheirLengthAreFound(t *testing.T) {
	r := builtin(t)
	m := newMaker(401)
	pinecone := "pcsk_" + m.text(alnumChars, 5) + "_" + m.text(alnumChars, 63) // 74 is J
	stripe := "sk_live_" + m.text(alnumChars, 92)                              // 100 is d
	sentry := "sntryu_" + m.text(hexChars, 64)                                 // 71 is G
	session := "IQoJb3JpZ2luX2Vj" + m.text(alnumChars, 372)                    // 388 is 0x0184
	long := "IQoJb3JpZ2luX2Vj" + m.text(alnumChars, 296)                       // 312 is 0x0138, and 8 is a digit
	two := binary.BigEndian.AppendUint16(nil, uint16(len(long)))
	for name, text := range map[string]string{
		"protobuf, field 1":         "\n" + string(rune(len(pinecone))) + pinecone + "\x12\x01a",
		"protobuf, field 2":         "\x12" + string(rune(len(stripe))) + stripe,
		"protobuf, a letter behind": "\x12" + string(rune(len(sentry))) + sentry + "b\x02ok",
		"protobuf, more behind":     "\x12Z" + pinecone + " is the key of us",
		"messagepack":               "\x82\xa4name\xd9" + string(rune(len(pinecone))) + pinecone + "\xa2ok\xc3",
		"messagepack, str 16":       "\x82\xa4name\xda" + string(two) + long,
		"varint of two bytes":       "\x12" + string(binary.AppendUvarint(nil, uint64(len(session)))) + session,
		"CBOR, a letter behind":     "\xa2\x63key\x78" + string(rune(len(sentry))) + sentry + "\x62ok\xf5",
		"Avro":                      "\x02" + string(binary.AppendVarint(nil, 40)) + "glsa_x" + m.text(alnumChars, 5) + " r8_" + m.text(alnumChars, 37),
	} {
		require.Len(t, r.Scan([]byte(text)), 1, name)
	}
	for name, text := range map[string]string{
		"a word":                          "K" + pinecone,
		"amid base64":                     m.text(stdChars, 40) + "x" + session,
		"one character more, quoted":      "'AIza" + m.text(alnumChars, 36) + "'", // ' is 39
		"a longer field, but behind text": "aZ" + pinecone + " is the key of us",
	} {
		require.Empty(t, r.Scan([]byte(text)), name)
	}
}

func TestNamedValuesInBinaryAreFound(t *testing.T) {
	r := builtin(t)
	m := newMaker(402)
	secret := m.text("abcdefghij", 4) + m.text("ABCDEFGHIJ", 4) + m.text("0123456789", 4) + m.text(stdChars, 28)
	vercel, hex, uuid := m.text(alnumChars, 24), m.text(hexChars, 32), m.text(hexChars, 8)+"-0a1b-4c2d-8e3f-"+m.text(hexChars, 12)
	for text, value := range map[string]string{
		"\n\x15AWS_SECRET_ACCESS_KEY\x12\x28" + secret + "\x1a\x01x": secret,
		"\n\x0cVERCEL_TOKEN\x12\x18" + vercel:                        vercel,
		"\n\x0aDD_API_KEY\x12\x22\x1a\x20" + hex:                     hex, // a message in a message
		"\x81\xaaDD_API_KEY\xd9\x20" + hex + "\xa1x\x01":             hex,
		"\x81\xacVERCEL_TOKEN\xb8" + vercel:                          vercel,
		"\xa1\x6aSNYK_TOKEN\x78\x24" + uuid:                          uuid,
	} {
		found := r.Scan([]byte(text))
		require.Len(t, found, 1, "%q", text)
		require.Equal(t, value, text[found[0].Start:found[0].End])
	}
}

func TestNamesAndValuesOfLists(t *testing.T) {
	r := builtin(t)
	m := newMaker(403)
	value := m.text(hexChars, 32)
	for _, text := range []string{
		"env:\n  - name: DD_API_KEY\n    value: %", "- name: DD_API_KEY\n  value: \"%\"\n", `{"name":"DD_API_KEY","value":"%"}`,
		`"- name: DD_API_KEY\n    value: %\n"`, `{"Name": "DD_API_KEY", "Type": "SecureString", "Value": "%"}`, "name = \"dd_api_key\"\n  value = \"%\"",
		"ParameterKey=DD_API_KEY,ParameterValue=%", "dd_api_key: str = '%'", "Our DD_API_KEY is %.", "the dd_api_key was `%`", "${DD_API_KEY:-%}",
		"export DD_API_KEY=%", "DD_API_KEY := \"%\"", "<dd_api_key>%</dd_api_key>", `"DD_API_KEY": {"default": "%"}`, `os.Setenv("DD_API_KEY", "%")`,
		`config["dd_api_key"] = "%"`, "dd-api-key: %", "ddApiKey='%'", `{\"dd_api_key\":\"%\"}`, "DD_API_KEY\n%",
	} {
		text = strings.ReplaceAll(text, "%", value)
		found := r.Scan([]byte(text))
		require.Len(t, found, 1, text)
		require.Equal(t, value, text[found[0].Start:found[0].End], text)
	}
	for _, text := range []string{"DD_API_KEY of the value %", "DD_API_KEY in %", "DD_API_KEY and the checksum %", "DD_API_KEY" + strings.Repeat(" ", 30) + "%"} {
		require.Empty(t, r.Scan([]byte(strings.ReplaceAll(text, "%", value))), text)
	}
}

func TestTheMarkOfAFormAmidIt(t *testing.T) {
	r := builtin(t)
	m := newMaker(404)
	devops := m.text(alnumChars, 76) + "AZDO" + m.text(alnumChars, 4) // 84 is T
	for _, text := range []string{"$", "PAT=$\n", `"a\n$\n"`, "t%3D$&", "\nT$\x12", "x\u00ad$"} {
		require.Len(t, r.Scan([]byte(strings.ReplaceAll(text, "$", devops))), 1, text)
	}
	for _, text := range []string{devops[1:], "a" + devops, devops + "a", m.text(alnumChars, 200) + devops} {
		require.Empty(t, r.Scan([]byte(text)), text)
	}
}

func TestNetrcAsAString(t *testing.T) {
	r := builtin(t)
	password := "tr" + newMaker(405).text(alnumChars, 16) + "7k"
	for _, text := range []string{"machine git.corp.net\n  login root\n  password " + password + "\n", `{"f":"machine git.corp.net\n  login root\n  password ` + password + `\n"}`,
		`"{\"f\":\"machine git.corp.net\\n\\tlogin nick\\n\\tpassword ` + password + `\\n\"}"`} {
		found := r.Scan([]byte(text))
		require.Len(t, found, 1, text)
		require.Equal(t, password, text[found[0].Start:found[0].End], text)
	}
}
