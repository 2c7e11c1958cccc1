package echo_test

import (
	"encoding/base64"
	"strings"
)

// interior returns the characters of base64 that depend on real alone.
func interior(align int, real string, url bool) string {
	e := base64.RawStdEncoding
	if url {
		e = base64.RawURLEncoding
	}
	low := e.EncodeToString([]byte(strings.Repeat("\x00", align) + real + "\x00\x00"))
	high := e.EncodeToString([]byte(strings.Repeat("\xff", align) + real + "\xff\xff"))
	from, to := -1, 0
	for i := range low {
		if low[i] == high[i] {
			if from < 0 {
				from = i
			}
			to = i + 1
		}
	}
	return low[from:to]
}
