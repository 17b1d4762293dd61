package decode_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"modelwall/scan"
	"modelwall/scan/internal/decode"
)

// broken answers with its pieces, and then as it is told.
type broken struct {
	pieces []string
	after  func() (int, error)
}

func (b *broken) Read(p []byte) (int, error) {
	if len(b.pieces) == 0 {
		return b.after()
	}
	n := copy(p, b.pieces[0])
	if b.pieces[0] = b.pieces[0][n:]; b.pieces[0] == "" {
		b.pieces = b.pieces[1:]
		if len(b.pieces) > 0 && b.pieces[0] == "!" { // damage, told before all is out
			b.pieces = b.pieces[1:]
			return n, errDamage
		}
	}
	return n, nil
}

var (
	errDamage = errors.New("damage")
	errLimit  = errors.New("too much memory")
)

func classify(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, errLimit):
		return scan.Limit(0, "%w", err)
	}
	return scan.Malformed(0, "%w", err)
}

func TestStream(t *testing.T) {
	ends := func(err error) func() (int, error) { return func() (int, error) { return 0, err } }
	for name, c := range map[string]struct {
		dec  broken
		open error
		want string
		err  error
	}{
		"whole":                    {dec: broken{[]string{"ab", "cd"}, ends(io.EOF)}, want: "abcd"},
		"damage":                   {dec: broken{[]string{"ab"}, ends(errDamage)}, want: "ab", err: scan.ErrMalformed},
		"held back behind damage":  {dec: broken{[]string{"ab", "!", "cd"}, ends(errDamage)}, want: "abcd", err: scan.ErrMalformed},
		"limit":                    {dec: broken{[]string{"ab"}, ends(errLimit)}, want: "ab", err: scan.ErrLimit},
		"panic":                    {dec: broken{[]string{"ab"}, func() (int, error) { panic("index out of range") }}, want: "ab", err: scan.ErrMalformed},
		"panic behind damage":      {dec: broken{[]string{"ab", "!", "c"}, func() (int, error) { panic("again") }}, want: "abc", err: scan.ErrMalformed},
		"nothing for ever":         {dec: broken{[]string{"ab"}, ends(nil)}, want: "ab", err: scan.ErrMalformed},
		"no header":                {open: io.EOF, err: scan.ErrMalformed},
		"needs too much from afar": {open: errLimit, err: scan.ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			s := decode.New(func() (io.Reader, error) { return &c.dec, c.open }, classify)
			got, err := io.ReadAll(s)
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q, %v; want %q, %v", got, err, c.want, c.err)
			}
			if s.Decoded() != int64(len(c.want)) {
				t.Errorf("Decoded() = %d, want %d", s.Decoded(), len(c.want))
			}
			if _, again := s.Read(make([]byte, 1)); c.err != nil && !errors.Is(again, c.err) || s.Err() == nil {
				t.Errorf("then %v and Err() = %v, want the same error again", again, s.Err())
			}
		})
	}
}

// What comes out does not depend on how it is read.
func TestReadSizes(t *testing.T) {
	text := strings.Repeat("weights ", 1000)
	s := decode.New(func() (io.Reader, error) { return strings.NewReader(text), nil }, classify)
	if err := iotest.TestReader(iotest.OneByteReader(s), []byte(text)); err != nil {
		t.Error(err)
	}
}
