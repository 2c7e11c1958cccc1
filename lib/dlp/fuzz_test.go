package dlp

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"%41", "%4", `\u0041`, `\u00`, `\x4a`, `\n`, `\\`, "&amp;", "&#65;", "&#x41;", "&#;", "&#99999999;", "&", "\u00ad", "\u200b", "Ａ", "а", "\xe2\x80", "\xf0\x9d\x90\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > maxEscape {
			return
		}
		u, more := unescape(b)
		require.LessOrEqual(t, u.taken, len(b))
		require.LessOrEqual(t, u.n, utf8.UTFMax)
		require.False(t, more && u.taken > 0, "an escape that is known needs no more")
		if u.taken == 0 {
			return
		}
		// What follows an escape does not change it, and what is cut off it is not known.
		again, _ := unescape(append(b[:u.taken:u.taken], "0;"...)[:min(u.taken+2, maxEscape)])
		require.Equal(t, u, again)
		for n := 1; n < u.taken; n++ {
			part, more := unescape(b[:n])
			require.True(t, more, "%q of %q", b[:n], b[:u.taken])
			require.Zero(t, part.taken)
		}
	})
}

// A token is found in each disguise, whatever is encoded with it.
func FuzzDisguise(f *testing.F) {
	for i := range disguises {
		f.Add([]byte("before"), []byte("after"), uint8(i), uint64(i))
		f.Add([]byte("\x00\xff\xfe\x80 binary"), []byte("\x80\x81"), uint8(i), uint64(i))
	}
	r, err := Compile(Builtin(), Options{})
	require.NoError(f, err)
	s := r.NewStream()
	f.Fuzz(func(t *testing.T, before, after []byte, which uint8, seed uint64) {
		if len(before)+len(after) > 1000 {
			return
		}
		d := disguises[int(which)%len(disguises)]
		token := newMaker(seed).github()
		text := " " + token + " "
		switch d.name {
		case "soft hyphen", "look-alikes", "full width", "zero-width", "utf-16", "utf-16 in base64", "utf-16, big endian, in base64", "utf-16 in hex", "utf-16 in json": // they have no way to write other bytes
		default:
			text = string(before) + text + string(after)
		}
		hidden := []byte(d.do(newMaker(seed), text) + " ,")
		found := r.Scan(hidden)
		require.NotEmpty(t, found, "%s: %q", d.name, hidden)
		rng := rand.New(rand.NewPCG(seed, 3))
		s.Reset()
		require.Equal(t, found, inPieces(t, s, hidden, func() int { return 1 + rng.IntN(1+rng.IntN(60)) }))
	})
}

func FuzzDecodedSplit(f *testing.F) {
	for seed := range uint64(6) {
		text := disguisedMixture(seed, 600)
		f.Add(text[:min(len(text), 1500)], seed)
		f.Add(linesMixture(seed, 800), seed)
	}
	r, err := Compile(Builtin(), Options{})
	require.NoError(f, err)
	s := r.NewStream()
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if len(text) > 8000 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		s.Reset()
		require.Equal(t, r.Scan(text), inPieces(t, s, text, func() int { return 1 + rng.IntN(1+rng.IntN(40)) }))
	})
}

func FuzzReadRules(f *testing.F) {
	f.Add([]byte(acmeRules))
	f.Add([]byte("[[rules]]\nid='a'\nregex='('"))
	f.Add([]byte("[[rules]]\nid='a'\nregex='()'\nsecretGroup=1\nkeywords=['x']"))
	path := filepath.Join(f.TempDir(), "rules.toml")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		rules, err := ReadRules(path)
		if err != nil {
			require.ErrorContains(t, err, path)
			return
		}
		if r, err := Compile(rules, Options{}); err == nil {
			r.Scan([]byte("x acme_token=0123456789 y"))
		}
	})
}
