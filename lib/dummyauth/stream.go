package dummyauth

import (
	"crypto/sha3"
	"encoding/base64"
	"encoding/binary"
)

// stream is an endless row of bytes that depends on the seed and the number of
// the attempt alone. SHAKE256 is written down in FIPS 202, so the row is the
// same in every version of Go, which math/rand does not promise.
type stream struct{ shake *sha3.SHAKE }

// The kind keeps the dummies of two logins of one bottle apart.
func newStream(kind string, seed []byte, attempt int) stream {
	s := stream{sha3.NewSHAKE256()}
	s.shake.Write([]byte("bottle dummy " + kind + " 1\x00"))
	s.shake.Write(binary.BigEndian.AppendUint32(nil, uint32(attempt)))
	s.shake.Write(seed)
	return s
}

func (s stream) bytes(n int) []byte {
	b := make([]byte, n)
	s.shake.Read(b)
	return b
}

// below returns a number in [0,n). It is slightly uneven, which does no harm
// where only layout depends on it.
func (s stream) below(n int) int {
	return int(binary.BigEndian.Uint32(s.bytes(4)) % uint32(n))
}

// text returns the base64url text, without padding, of n bytes.
func (s stream) text(n int) string {
	return base64.RawURLEncoding.EncodeToString(s.bytes(n))
}
