// Package pbtest writes protocol buffers field by field, for tests: sound
// ones, and such as no library writes.
package pbtest

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"
)

// Msg joins fields to a message.
func Msg(fields ...[]byte) []byte { return bytes.Join(fields, nil) }

// Sub is a field that holds a message of the given fields.
func Sub(num protowire.Number, fields ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), Msg(fields...))
}

// Str is a field that holds a string.
func Str(num protowire.Number, s string) []byte { return Sub(num, []byte(s)) }

// Int is a field that holds a varint.
func Int(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

// Fixed32 is a field of four bytes.
func Fixed32(num protowire.Number, v uint32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(nil, num, protowire.Fixed32Type), v)
}

// Fixed64 is a field of eight bytes.
func Fixed64(num protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), v)
}

// Group is a field that holds fields between two marks.
func Group(num protowire.Number, fields ...[]byte) []byte {
	b := append(protowire.AppendTag(nil, num, protowire.StartGroupType), Msg(fields...)...)
	return protowire.AppendTag(b, num, protowire.EndGroupType)
}

// Promise is the tag and the length of a field whose n bytes do not follow.
func Promise(num protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), n)
}
