package framing

// Limits of a chunked body. They are at most net/http's own, so that a body
// that passes here is never cut short there without a [Violation].
const (
	maxChunkLine    = 1024     // size and extensions of one chunk
	maxChunkDigits  = 15       // more would overflow
	maxChunkExcess  = 16 << 10 // what net/http grants beyond 16 bytes a chunk and twice the data
	maxTrailerBytes = 4096     // net/http's read buffer: it looks for the end of the trailers in it
)

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerStart
	trailerName
	trailerValue
	trailerLF
	trailerEndLF
)

// chunks follows a chunked body (RFC 9112, section 7.1). The zero value stands
// at its beginning.
type chunks struct {
	state   chunkState
	digits  int   // of the size being read
	size    int64 // data bytes left in this chunk
	line    int   // bytes of the size line so far, without CRLF
	excess  int64 // overhead beyond what net/http grants
	trailer int   // bytes of the trailer section so far
	name    [len("transfer-encoding")]byte
	named   int // bytes of the trailer's name so far
}

// follow reads on in b. It returns how many bytes belong to the body, whether
// the body ended with them, and the violation that comes after them.
func (k *chunks) follow(b []byte) (n int, done bool, v *Violation) {
	for n < len(b) {
		if k.state == chunkData {
			data := min(k.size, int64(len(b)-n))
			k.size -= data
			n += int(data)
			if k.size == 0 {
				k.state = chunkDataCR
			}
			continue
		}
		message := k.octet(b[n])
		if message != "" {
			return n, false, &Violation{BadChunk, message}
		}
		n++
		if k.state == chunkSize && k.trailer > 0 {
			return n, true, nil
		}
	}
	return n, false, nil
}

// octet takes one byte that is not chunk data. It returns what is wrong with
// it, or "". After the last byte of the body the state is chunkSize again.
func (k *chunks) octet(c byte) string {
	switch k.state {
	case chunkSize, chunkExtension, chunkSizeLF:
		return k.sizeLine(c)
	case chunkDataCR, chunkDataLF:
		want := byte('\r')
		if k.state == chunkDataLF {
			want = '\n'
		}
		if c != want {
			return "chunk data is longer than the chunk's size"
		}
		if k.state == chunkDataLF {
			k.state, k.digits, k.line = chunkSize, 0, 0
		} else {
			k.state = chunkDataLF
		}
		return ""
	}
	return k.trailerLine(c)
}

func (k *chunks) sizeLine(c byte) string {
	switch {
	case k.state == chunkSizeLF:
		if c != '\n' {
			return "a chunk size line does not end with CRLF"
		}
		return k.begin()
	case c == '\r' && k.digits > 0:
		k.state = chunkSizeLF
		return ""
	case k.state == chunkExtension:
		if isControl(c) {
			return "a chunk extension has a control character"
		}
	case c == ';' && k.digits > 0:
		k.state = chunkExtension
	default:
		d := hexDigit(c)
		if d < 0 {
			return "a chunk size is not a hexadecimal number"
		}
		if k.digits++; k.digits > maxChunkDigits {
			return "a chunk size is too large"
		}
		k.size = k.size<<4 | int64(d)
	}
	if k.line++; k.line > maxChunkLine {
		return "a chunk extension is too long"
	}
	return ""
}

// begin starts the chunk whose size line is complete.
func (k *chunks) begin() string {
	// The sum of net/http/internal: a sender of many tiny chunks is fine,
	// one that sends mostly extensions is not.
	k.excess = max(0, k.excess+int64(k.line)+2-16-2*k.size)
	switch {
	case k.excess > maxChunkExcess:
		return "the chunks carry more extensions than data"
	case k.size == 0:
		k.state = trailerStart
	default:
		k.state = chunkData
	}
	return ""
}

func (k *chunks) trailerLine(c byte) string {
	if k.trailer++; k.trailer > maxTrailerBytes {
		return "the trailers are too large"
	}
	switch k.state {
	case trailerStart:
		k.named = 0
		if c == '\r' {
			k.state = trailerEndLF
			return ""
		}
		k.state = trailerName
		return k.trailerNameOctet(c)
	case trailerName:
		return k.trailerNameOctet(c)
	case trailerValue:
		switch {
		case c == '\r':
			k.state = trailerLF
		case isControl(c):
			return "a trailer has a control character"
		}
	case trailerLF:
		if c != '\n' {
			return "a trailer does not end with CRLF"
		}
		k.state = trailerStart
	case trailerEndLF:
		if c != '\n' {
			return "the trailers do not end with CRLF"
		}
		k.state = chunkSize
	}
	return ""
}

func (k *chunks) trailerNameOctet(c byte) string {
	switch {
	case c == ':' && k.named > 0:
		if k.named <= len(k.name) && framingName(k.name[:k.named]) {
			return "a trailer would frame the request"
		}
		k.state = trailerValue
	case !tokenOctets[c]:
		return "a trailer's name is not a token"
	default:
		if k.named < len(k.name) {
			k.name[k.named] = c
		}
		k.named++
	}
	return ""
}
