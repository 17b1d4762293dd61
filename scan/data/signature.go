package data

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"modelwall/scan"
)

// signature is bytes at a place that give a format away.
type signature struct {
	at    int
	magic string
	name  string
}

func (s signature) in(head []byte) bool {
	return len(head) >= s.at && bytes.HasPrefix(head[s.at:], []byte(s.magic))
}

func find(table []signature, head []byte) (string, bool) {
	for _, s := range table {
		if s.in(head) {
			return s.name, true
		}
	}
	return "", false
}

// media are the signatures of plain data; the name is the kind.
func media() []signature {
	return []signature{
		{0, "\x89PNG\r\n\x1a\n", "image"},
		{0, "\xff\xd8\xff", "image"},
		{0, "GIF87a", "image"},
		{0, "GIF89a", "image"},
		{8, "WEBP", "image"},
		{0, "II*\x00", "image"},
		{0, "MM\x00*", "image"},
		{0, "\x00\x00\x01\x00", "image"},
		{8, "WAVE", "audio"},
		{0, "fLaC", "audio"},
		{0, "OggS", "audio"},
		{0, "ID3", "audio"},
		{4, "ftyp", "video"},
		{0, "\x1aE\xdf\xa3", "video"},
		{0, "%PDF-", "document"},
	}
}

func mediaKinds() []string {
	var names []string
	for _, s := range media() {
		if !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

func matchMedia(name string) func(scan.Probe) bool {
	return func(p scan.Probe) bool {
		got, ok := find(media(), p.Head)
		return ok && got == name
	}
}

// carriers are the signatures of formats that can carry code and that nothing
// here can judge.
func carriers() []signature {
	return []signature{
		{0, "Rar!\x1a\x07", "RAR"},
		{0, "MSCF", "Windows cabinet"},
		{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE compound file"},
		{0, "L\x00\x00\x00\x01\x14\x02\x00", "Windows shortcut"},
		{0, "ITSF", "Windows help"},
		{0, "LZIP", "lzip"},
		{0, "\x89LZO\x00\r\n\x1a\n", "lzop"},
		{0, "\xff\x06\x00\x00sNaPpY", "snappy"},
		{0, "\x1f\x9d", "compress (.Z)"},
		{0, "!<arch>\n", "ar archive"},
		{0, "\xed\xab\xee\xdb", "RPM package"},
		{0, "070701", "cpio archive"},
		{0, "070702", "cpio archive"},
		{0, "070707", "cpio archive"},
		{0, "xar!", "xar archive"},
		{0, "hsqs", "SquashFS image"},
		{0, "\xac\xed\x00\x05", "Java serialization"},
		{0, "pst0", "Perl Storable"},
		{0, "FasdUAS ", "AppleScript"},
		{0, "FWS", "Flash"},
		{0, "CWS", "Flash"},
		{0, "ZWS", "Flash"},
	}
}

// carrier names the format that can carry code and that head has the signature
// of.
func carrier(head []byte) (string, bool) {
	if name, ok := find(carriers(), head); ok {
		return name, true
	}
	if len(head) < 8 {
		return "", false
	}
	if string(head[2:4]) == "\r\n" && isPyc(binary.LittleEndian.Uint16(head), head[4:]) {
		return "Python bytecode", true
	}
	return "", false
}

// isPyc tells Python's bytecode files by their version number, then flags of
// which two bits are in use.
func isPyc(version uint16, flags []byte) bool {
	return version >= 3000 && version < 4000 && flags[0]&^3 == 0 && flags[1] == 0 && flags[2] == 0 && flags[3] == 0 ||
		version > 60000 && version < 63000 || version >= 3000 && version < 3400 // 2.x and before flags
}

// maxSafetensors is the longest header that the safetensors library takes, in
// bytes.
const maxSafetensors = 100_000_000

// owned reports whether another scanner certainly claims a file: it has the
// strong signature of a container, a pickle or a kind of its own here. The
// answer must only ever be yes for what somebody examines.
func owned(head []byte) bool {
	for _, magic := range [...]string{
		"PK\x03\x04", "7z\xbc\xaf\x27\x1c", "\x1f\x8b\x08", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd",
		"\x04\x22\x4d\x18", "\x02\x21\x4c\x18", npyMagic, "\x89HDF\r\n\x1a\n", "GGUF", "RKNN",
		"RDX2\n", "RDX3\n", "RDA2\n", "RDA3\n", "RDB2\n", "RDB3\n", "X\n\x00\x00\x00\x02", "X\n\x00\x00\x00\x03", "A\n2\n", "A\n3\n", "B\n\x02\x00\x00\x00", "B\n\x03\x00\x00\x00", "\x1bLua", "\x1bLJ", "\x00asm", "dex\n",
		"PAR1", "ARROW1", "FEA1", "SQLite format 3\x00", "ptrt", "ftrt", "CBM1",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	switch {
	case len(head) >= 10 && string(head[:3]) == "BZh" && string(head[4:10]) == "1AY&SY":
		return true
	case len(head) >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5: // PROTO
		return true
	case len(head) >= 10 && head[8] == '{' && strings.IndexByte("\"} \t\r\n", head[9]) >= 0 && binary.LittleEndian.Uint64(head) <= maxSafetensors:
		return true
	case len(head) >= 512 && string(head[257:262]) == "ustar":
		return true
	}
	if _, ok := find(media(), head); ok {
		return true
	}
	if len(head) >= 8 && slices.Contains([]string{"TFL3", "ORTM"}, string(head[4:8])) {
		return true
	}
	if p := program(head); p != "" && p != "PE" && !shebang(head) {
		return true
	}
	_, ok := carrier(head)
	return ok
}
