package tomlfile

import (
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Key extends a key path by the key of a table, quoted where TOML demands it:
// Key("refusal_status", "chatgpt.com") is refusal_status."chatgpt.com".
func Key(keyPath, key string) string {
	k := toml.Key{key}.String()
	if keyPath == "" {
		return k
	}
	return keyPath + "." + k
}

// Index extends a key path by the element i of an array: route[0].
func Index(keyPath string, i int) string {
	return keyPath + "[" + strconv.Itoa(i) + "]"
}

// parent drops the last part of a key path.
func parent(p string) string {
	if strings.HasSuffix(p, "]") {
		return p[:max(strings.LastIndexByte(p, '['), 0)]
	}
	if strings.HasSuffix(p, `"`) {
		// A quoted key: it starts at the quote that no backslash escapes.
		for i := len(p) - 2; i >= 0; i-- {
			if p[i] == '"' && !escaped(p[:i]) {
				return p[:max(i-1, 0)]
			}
		}
		return ""
	}
	return p[:max(strings.LastIndexByte(p, '.'), 0)]
}

// escaped reports whether the byte that follows s is escaped.
func escaped(s string) bool {
	n := len(s) - len(strings.TrimRight(s, `\`))
	return n%2 == 1
}
