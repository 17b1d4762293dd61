package hdf5

import (
	"bytes"
	"strings"
)

// packed reports whether bytes begin as something that a program unpacks or
// runs: an archive, compressed data, an array, a program.
func packed(b []byte) bool {
	for _, magic := range [...]string{
		"PK\x03\x04", "PK\x05\x06", "7z\xbc\xaf", "\x1f\x8b", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd", "\x04\x22\x4d\x18",
		"\x78\x01", "\x78\x5e", "\x78\x9c", "\x78\xda", "\x93NUMPY", "\x7fELF", "MZ", "#!", signature,
	} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	return false
}

// pickled reports whether a value that begins with b and ends with last may be
// a pickle: it has a protocol opcode, or it ends with STOP and has an opcode at
// its beginning and bytes that prose does not have. PyTables goes by the end.
func pickled(b []byte, last byte) bool {
	if b[0] == 0x80 && b[1] <= 5 {
		return true
	}
	if last != '.' || strings.IndexByte("(c]}lditpIJKLMNFGSTUVXPQ\x80\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96)0", b[0]) < 0 {
		return false
	}
	return bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' }) || b[0] >= 0x80
}

// structured reports whether a text begins as JSON, or has the key of a Keras
// object near its beginning (YAML).
func structured(b []byte) bool {
	t := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(t) == 0 || t[0] == '{' || t[0] == '[' || bytes.Contains(b, []byte("class_name"))
}
