package gitrule

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"strings"
	"unicode/utf8"
)

var errOperation = errors.New(`it has to be one JSON object in UTF-8 with "operation" in it once`)

// batchOperation returns the operation of a git-lfs batch request. A body that
// two parsers could read in two ways is an error: members that differ in case
// only, or come twice, another character set, more than one value.
func batchOperation(contentType string, body []byte) (string, error) {
	if contentType != "" {
		_, params, err := mime.ParseMediaType(contentType)
		if err != nil || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
			return "", errOperation
		}
	}
	if !utf8.Valid(body) {
		return "", errOperation
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", errOperation
	}
	operation, found := "", false
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", errOperation
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", errOperation
		}
		if !strings.EqualFold(strings.TrimSpace(name.(string)), "operation") {
			continue
		}
		if found || name != "operation" || json.Unmarshal(value, &operation) != nil {
			return "", errOperation
		}
		found = true
	}
	if _, err := d.Token(); err != nil || !found {
		return "", errOperation
	}
	if _, err := d.Token(); err != io.EOF {
		return "", errOperation
	}
	return operation, nil
}
