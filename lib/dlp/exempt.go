package dlp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ExemptSHA256 returns an [Options].Exempt that exempts the values with these SHA-256 sums (hex, either case), such as a
// bottle's own dummies: they open nothing, and whoever lists their sums does not hold them. With no sums it exempts
// nothing. A sum that is not 64 hex digits is an error that names its position.
func ExemptSHA256(sums ...string) (func(rule string, value []byte) bool, error) {
	exempt := make(map[[sha256.Size]byte]bool, len(sums))
	for i, s := range sums {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("exempt value %d: want a sha256 of 64 hex digits, have %d characters", i, len(s))
		}
		exempt[[sha256.Size]byte(b)] = true
	}
	return func(_ string, value []byte) bool { return exempt[sha256.Sum256(value)] }, nil
}
