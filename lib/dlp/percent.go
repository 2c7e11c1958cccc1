package dlp

// AppendPercentDecoded appends src to dst with each %XX replaced by its byte, once: %2541 becomes %41. An incomplete or
// invalid escape stays as it is, and so does '+', which stands for itself in a path and in many tokens. dst and src must
// not overlap.
func AppendPercentDecoded(dst, src []byte) []byte {
	for i := 0; i < len(src); i++ {
		if src[i] == '%' && i+2 < len(src) && isHex(src[i+1]) && isHex(src[i+2]) {
			dst = append(dst, unhex(src[i+1])<<4|unhex(src[i+2]))
			i += 2
			continue
		}
		dst = append(dst, src[i])
	}
	return dst
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
