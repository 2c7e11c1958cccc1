package decode

import "fmt"

// UnsupportedError says that a body has a coding that is not known.
type UnsupportedError struct {
	Coding string // the name as sent, in lower case
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("decode body: content coding %q is not supported", e.Coding)
}

// LimitError says that a body becomes larger than allowed: a decompression bomb, or meant to be one for all we know.
type LimitError struct {
	Coding string // of the layer that passed the limit; the list, where there are too many
	Limit  string // "size", "ratio", "window" or "codings"
	Max    int64  // bytes; for a ratio, decoded bytes per coded byte; for codings, how many
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("decode %s body: its %s is over the limit of %d", e.Coding, e.Limit, e.Max)
}

// CorruptError says that coded data cannot be decoded: it is wrong, it ends too early, or other bytes follow it.
type CorruptError struct {
	Coding string
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("decode %s body: %v", e.Coding, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }
