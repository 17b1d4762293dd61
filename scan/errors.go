package scan

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The classes of error a scanner returns. Test with errors.Is. Whatever is of
// none of them is the reader's own (or the context's) and says nothing about
// the file.
var (
	// ErrMalformed: the file breaks its format at this place. A loader may
	// well have executed what stands before it.
	ErrMalformed = errors.New("malformed")
	// ErrLimit: a depth, count, ratio or byte budget is used up before the
	// whole file was examined.
	ErrLimit = errors.New("limit reached")
	// ErrForeign: on a closer look than Match can take, no loader of this
	// format gets far enough to execute anything. The engine forgets the
	// scanner for this file; what it reported before still counts.
	ErrForeign = errors.New("not this format")
)

// Error is a classified error at a place in a file.
type Error struct {
	Class  error // ErrMalformed, ErrLimit or ErrForeign
	Offset int64 // byte position in the file that was being scanned
	Reason error // what exactly; what it wraps stays reachable for errors.Is
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%v at byte %d: %v", e.Class, e.Offset, e.Reason)
}

// Unwrap gives errors.Is both the class and the reason.
func (e *Error) Unwrap() []error { return []error{e.Class, e.Reason} }

// Malformed returns an ErrMalformed at off; the format may use %w.
func Malformed(off int64, format string, args ...any) error {
	return &Error{Class: ErrMalformed, Offset: off, Reason: fmt.Errorf(format, args...)}
}

// Limit returns an ErrLimit at off; the format may use %w.
func Limit(off int64, format string, args ...any) error {
	return &Error{Class: ErrLimit, Offset: off, Reason: fmt.Errorf(format, args...)}
}

// Quote renders text taken from a file for a person: quoted, escaped to
// printable ASCII, shortened to at most limit bytes of the original.
func Quote(s string, limit int) string {
	if len(s) <= limit {
		return strconv.QuoteToASCII(s)
	}
	cut := limit
	for cut > 0 && cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.QuoteToASCII(s[:cut]) + "..."
}
