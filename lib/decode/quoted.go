package decode

// QuotedPrintable undoes quoted-printable (RFC 2045, section 6.7) wherever it can stand in text: =XX and a line end after
// "=". It takes the rest as it is, so that it can be asked about a text of which only a part is encoded. The result is
// never longer than text.
func QuotedPrintable(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '=' {
			out = append(out, text[i])
			continue
		}
		end := i + 1
		for end < len(text) && (text[end] == ' ' || text[end] == '\t') { // some senders pad
			end++
		}
		switch {
		case end < len(text) && text[end] == '\n':
			i = end
		case end+1 < len(text) && text[end] == '\r' && text[end+1] == '\n':
			i = end + 1
		case i+2 < len(text) && hexDigit(text[i+1]) >= 0 && hexDigit(text[i+2]) >= 0:
			out = append(out, byte(hexDigit(text[i+1])<<4|hexDigit(text[i+2])))
			i += 2
		default:
			out = append(out, '=')
		}
	}
	return out
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
