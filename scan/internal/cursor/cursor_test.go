package cursor_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"modelwall/scan"
	"modelwall/scan/internal/cursor"
	"modelwall/scan/scantest"
)

func TestCursor(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 10_000)
	c := cursor.New(scantest.Bytes("x", data))
	for i := 0; i+7 < len(data); i += 7 {
		if b := c.Take(7); !bytes.Equal(b, data[i:i+7]) {
			t.Fatalf("at %d: %q", i, b)
		}
	}
	c.Move(0)
	if c.Skip(99_998); string(c.Peek(9)) != "89" || c.Left() != 2 || c.Err() != nil {
		t.Errorf("%q, %d left, %v", c.Peek(9), c.Left(), c.Err())
	}
	if got := c.Uint(2, binary.BigEndian); got != 0x3839 {
		t.Errorf("%#x", got)
	}
	if b := c.Take(1); b != nil || !errors.Is(c.Err(), scan.ErrMalformed) {
		t.Errorf("%q, %v", b, c.Err())
	}
	if b := c.Peek(1); b != nil {
		t.Errorf("%q after an error", b)
	}
}

func TestLength(t *testing.T) {
	for _, tc := range []struct {
		data string
		each int64
		ok   bool
	}{
		{"\x00\x00\x00\x02ab", 1, true},
		{"\x00\x00\x00\x03ab", 1, false},
		{"\x00\x00\x00\x02ab", 2, false},
		{"\xff\xff\xff\xffab", 0, true},
	} {
		c := cursor.New(scantest.Bytes("x", []byte(tc.data)))
		if c.Length(4, binary.BigEndian, tc.each); (c.Err() == nil) != tc.ok {
			t.Errorf("%q, %d each: %v", tc.data, tc.each, c.Err())
		}
	}
}
