package filter

import (
	"errors"
	"mime"
	"strings"

	"bottle/lib/decode"
	"bottle/lib/refusal"
)

// What [ScannerConfig].OnUndecodable may be.
const (
	undecodableBlock   = "block"
	undecodableScanRaw = "scan-raw"
)

// undecodable refuses a body that is not what its Content-Encoding says, or
// becomes too much.
func undecodable(coding string, err error) error {
	if limit, ok := errors.AsType[*decode.LimitError](err); ok {
		switch limit.Limit {
		case "ratio":
			return refusal.New(refusal.DecompressionBomb, "the body becomes more than %d times as large when it is decoded as %s; send it uncompressed or in parts", limit.Max, codingName(coding)).Because(err)
		case "size":
			return refusal.New(refusal.BodyTooLarge, "the body becomes larger than %d bytes when it is decoded as %s; send it in parts", limit.Max, codingName(coding)).Because(err)
		}
	}
	if _, ok := errors.AsType[*decode.UnsupportedError](err); ok {
		return refusal.New(refusal.UndecodableBody, "the filter cannot read Content-Encoding %s; send the body as gzip, deflate, zstd, br or uncompressed", codingName(coding)).Because(err)
	}
	return refusal.New(refusal.UndecodableBody, "the filter cannot decode the body as Content-Encoding %s; send it uncompressed", codingName(coding)).Because(err)
}

// malformed reports whether err is that of a body that is not what its
// Content-Encoding says, or says what nobody knows; one that becomes too large
// may hold anything behind the limit, and is none.
func malformed(err error) bool {
	_, corrupt := errors.AsType[*decode.CorruptError](err)
	_, unsupported := errors.AsType[*decode.UnsupportedError](err)
	return corrupt || unsupported
}

// passesUndecoded reports whether a body for which decoding failed with err
// goes on as it is: it was searched as it was sent, and decoded as far as that
// went. Without a setting, bodies of a type that is text do, as nothing is in
// them that the scanner would not have seen; any other may be anything.
func (r *ruling) passesUndecoded(err error) bool {
	if !malformed(err) {
		return false
	}
	switch r.filter.onUndecodable {
	case undecodableBlock:
		return false
	case undecodableScanRaw:
		return true
	}
	return isText(r.req.Header.Get("Content-Type"))
}

// isText reports whether a Content-Type is that of a text.
func isText(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	for _, suffix := range []string{"json", "xml", "yaml", "javascript", "graphql", "x-www-form-urlencoded"} {
		if strings.HasSuffix(kind, suffix) {
			return true
		}
	}
	return strings.HasPrefix(kind, "text/")
}
