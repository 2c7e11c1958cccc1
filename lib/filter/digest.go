package filter

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"strings"
)

// digests are the headers that hold a digest of the body as it is sent, by
// their algorithm; "" where the value names it (RFC 9530, and RFC 3230 before).
var digests = map[string]string{
	"Content-Digest": "", "Repr-Digest": "", "Digest": "",
	"Content-Md5":          "md5",
	"X-Amz-Checksum-Crc32": "crc32", "X-Amz-Checksum-Crc32c": "crc32c",
	"X-Amz-Checksum-Sha1": "sha", "X-Amz-Checksum-Sha256": "sha-256",
}

func isDigest(name string) bool {
	_, ok := digests[http.CanonicalHeaderKey(name)]
	return ok
}

// sum returns the digest of data, nil for an algorithm that is not known.
func sum(algorithm string, data []byte) []byte {
	switch algorithm {
	case "md5":
		s := md5.Sum(data)
		return s[:]
	case "sha":
		s := sha1.Sum(data)
		return s[:]
	case "sha-256":
		s := sha256.Sum256(data)
		return s[:]
	case "sha-512":
		s := sha512.Sum512(data)
		return s[:]
	case "crc32":
		return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data))
	case "crc32c":
		return binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	}
	return nil
}

// redigest makes the digests in h those of data. One of an unknown algorithm is
// removed, and one of a whole of which data is a part.
func redigest(h http.Header, data []byte) {
	for name, algorithm := range digests {
		values, ok := h[name]
		if !ok {
			continue
		}
		var out []string
		switch {
		case algorithm != "":
			out = append(out, base64.StdEncoding.EncodeToString(sum(algorithm, data)))
		case name != "Content-Digest" && h["Content-Range"] != nil:
		default:
			for member := range strings.SplitSeq(strings.Join(values, ","), ",") {
				algorithm, value, _ := strings.Cut(strings.TrimSpace(member), "=")
				s := sum(strings.ToLower(algorithm), data)
				if s == nil {
					continue
				}
				text := base64.StdEncoding.EncodeToString(s)
				if strings.HasPrefix(value, ":") {
					text = ":" + text + ":"
				}
				out = append(out, algorithm+"="+text)
			}
			if out != nil {
				out = []string{strings.Join(out, ", ")}
			}
		}
		if out == nil {
			delete(h, name)
			continue
		}
		h[name] = out
	}
}
