package tar

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

const blockSize = 512

// block is one header.
type block [blockSize]byte

// The type flags that matter here.
const (
	typeFile       = '0'
	typeFileV7     = 0
	typeHardLink   = '1'
	typeSymlink    = '2'
	typeChar       = '3'
	typeBlock      = '4'
	typeDir        = '5'
	typeFIFO       = '6'
	typeContiguous = '7'
	typeGNULong    = 'L'
	typeGNULink    = 'K'
	typeGNUSparse  = 'S'
	typePax        = 'x'
	typeSunPax     = 'X'
	typePaxGlobal  = 'g'
)

// valid reports whether the checksum holds, over unsigned bytes or, as some
// old writers had it, over signed ones.
func (b *block) valid() bool {
	want, ok := number(b[148:156])
	if !ok {
		return false
	}
	var unsigned, signed int64
	for i, c := range b {
		if i >= 148 && i < 156 {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return want == unsigned || want == signed && (want != 0 || b.numeric())
}

// numeric reports whether all number fields hold numbers, which Python asks
// for. It tells a header with an empty checksum from arbitrary bytes whose
// sum happens to be zero.
func (b *block) numeric() bool {
	for _, field := range [][]byte{b[100:108], b[108:116], b[116:124], b[124:136]} {
		if _, ok := number(field); !ok {
			return false
		}
	}
	return true
}

func (b *block) flag() byte { return b[156] }

func (b *block) size() (int64, bool) { return number(b[124:136]) }

func (b *block) link() string { return cString(b[157:257]) }

// name joins ustar's prefix with the name. GNU's magic ("ustar ") has other
// fields there.
func (b *block) name() string {
	name := cString(b[:100])
	if string(b[257:263]) == "ustar\x00" {
		if prefix := cString(b[345:500]); prefix != "" {
			return prefix + "/" + name
		}
	}
	return name
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// number reads an octal field, or a base-256 one as GNU writes big values.
// Fields are padded in many ways, and Python takes them for the literals of
// its own language: a sign, 0o and underscores are fine.
func number(b []byte) (int64, bool) {
	if b[0]&0x80 != 0 {
		if b[0] == 0xff {
			return 0, false // negative
		}
		v := uint64(b[0] & 0x7f)
		for _, c := range b[1:] {
			if v > math.MaxInt64>>8 {
				return 0, false
			}
			v = v<<8 | uint64(c)
		}
		return int64(v), true
	}
	s := strings.TrimPrefix(strings.Trim(cString(b), " \t\n\v\f\r"), "+")
	if s == "" {
		return 0, true
	}
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'o' {
		s = s[2:]
	}
	v, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 8, 64)
	return v, err == nil && v >= 0
}

// overrides are what extension headers say about the next member.
type overrides struct {
	name, link string
	size       int64 // -1: none
	set        bool
	sparse     bool
}

// pax reads records of the form "length key=value\n". It returns false when
// they, or a size among them, are not well formed: readers differ in what they
// make of those. What was read before counts.
func (o *overrides) pax(data []byte) bool {
	data = bytes.TrimRight(data, "\x00") // padding
	for len(data) > 0 {
		digits, _, ok := bytes.Cut(data, []byte(" "))
		n, err := strconv.Atoi(string(digits))
		if !ok || err != nil || n <= len(digits)+1 || n > len(data) || data[n-1] != '\n' {
			return false
		}
		key, value, ok := strings.Cut(string(data[len(digits)+1:n-1]), "=")
		if !ok {
			return false
		}
		if !o.record(key, value) {
			return false
		}
		data = data[n:]
	}
	return true
}

func (o *overrides) record(key, value string) bool {
	switch {
	case key == "path", key == "GNU.sparse.name":
		o.name = value
	case key == "linkpath":
		o.link = value
	case key == "size":
		v, err := strconv.ParseUint(value, 10, 63)
		if err != nil {
			return false
		}
		o.size, o.set = int64(v), true
	}
	if strings.HasPrefix(key, "GNU.sparse.") || key == "SCHILY.realsize" {
		o.sparse = true
	}
	return true
}
