package gguf

import (
	"bytes"
	"hash/maphash"
	"io"
	"strings"

	"modelwall/scan"
)

// The types of values.
const (
	typeUint32 = 4
	typeBool   = 7
	typeString = 8
	typeArray  = 9
	typeUint64 = 10
)

// sizeOf returns the bytes of a number of type t, 0 for what is no number.
func sizeOf(t uint32) int64 {
	switch t {
	case 0, 1, typeBool:
		return 1
	case 2, 3:
		return 2
	case typeUint32, 5, 6:
		return 4
	case typeUint64, 11, 12:
		return 8
	}
	return 0
}

// Bounds of a header. Models have some hundred pairs.
const (
	maxKey     = 1<<16 - 1 // bytes, as the specification says
	maxPairs   = 1 << 17
	maxHeader  = 1 << 30 // bytes
	maxNesting = 8       // arrays in arrays
)

// pairs reads n pairs of keys and values.
func (r *reader) pairs(n uint64) error {
	r.alignment = 32
	r.keys = map[uint64]bool{}
	seed := maphash.MakeSeed()
	for i := uint64(0); i < n; i++ {
		if r.attacked && r.off == r.f.Size {
			return errAttack
		}
		if i == maxPairs || r.off > maxHeader {
			return scan.Limit(r.off, "a header of more than %d pairs or %d bytes", maxPairs, maxHeader)
		}
		at := r.off
		key, err := r.key()
		if err != nil {
			return err
		}
		if h := maphash.String(seed, key); r.keys[h] {
			r.duplicate(at, key)
		} else {
			r.keys[h] = true
		}
		t, err := r.u32()
		if err != nil {
			return err
		}
		if err := r.value(key, t); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) key() (string, error) {
	at := r.off
	n, err := r.length()
	if err != nil {
		return "", err
	}
	if err := r.room(at, "bytes of a key", n, 1); err != nil {
		return "", err
	}
	if n > maxKey {
		return "", r.broken(at, "a key of %d bytes", n)
	}
	b, err := r.take(int(n))
	if err != nil {
		return "", err
	}
	key := string(b)
	if strings.Contains(key, "../") || strings.Contains(key, `..\`) {
		r.finding("key", scan.Low, "path-traversal", at, "a key that looks like a path: "+scan.Quote(key, 100))
	}
	return key, nil
}

// duplicate reports a key that comes twice: some readers take the first, some
// the last, llama.cpp refuses the file.
func (r *reader) duplicate(at int64, key string) {
	sev := scan.Low
	if isTemplate(key) || key == "general.architecture" || key == "general.alignment" {
		sev = scan.SeveritySuspicious
	}
	r.finding("duplicate-key", sev, "archive-confusion", at, "the key "+scan.Quote(key, 100)+" comes twice: readers disagree which value counts")
}

func isTemplate(key string) bool { return strings.HasPrefix(key, "tokenizer.chat_template") }

// value reads one value. Arrays in arrays are kept track of here.
func (r *reader) value(key string, t uint32) error {
	var waiting []waitingArray
	for {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		switch size := sizeOf(t); {
		case t == typeString:
			if err := r.text(key, len(waiting) > 0); err != nil {
				return err
			}
		case t == typeArray:
			inner, n, err := r.array(key)
			if err != nil {
				return err
			}
			if inner != typeArray {
				break
			}
			if len(waiting) == maxNesting {
				return r.broken(r.off, "arrays nest more than %d deep", maxNesting)
			}
			waiting = append(waiting, waitingArray{n})
		case size > 0:
			if err := r.number(key, t, size); err != nil {
				return err
			}
		default:
			return r.broken(r.off, "there is no type %d", t)
		}
		for len(waiting) > 0 && waiting[len(waiting)-1].left == 0 {
			waiting = waiting[:len(waiting)-1]
		}
		if len(waiting) == 0 {
			return nil
		}
		waiting[len(waiting)-1].left--
		t = typeArray
	}
}

// waitingArray is an array of arrays with the count of those still to come.
type waitingArray struct{ left uint64 }

// number reads a number; the alignment is one that matters.
func (r *reader) number(key string, t uint32, size int64) error {
	at := r.off
	b, err := r.take(int(size))
	if err != nil {
		return err
	}
	if key != "general.alignment" {
		return nil
	}
	n := uint64(0)
	switch t {
	case typeUint32, 5:
		n = uint64(r.order.Uint32(b))
	case typeUint64, 11:
		n = r.order.Uint64(b)
	}
	if n == 0 || n > 1<<30 || n&(n-1) != 0 {
		return r.attack(at, "aligns tensors to %d", n)
	}
	r.alignment = int64(n)
	return nil
}

// array reads an array that does not hold arrays, or the head of one that
// does: then its count is returned.
func (r *reader) array(key string) (inner uint32, n uint64, err error) {
	at := r.off
	if inner, err = r.u32(); err != nil {
		return 0, 0, err
	}
	if n, err = r.length(); err != nil {
		return 0, 0, err
	}
	size := uint64(sizeOf(inner))
	switch {
	case inner == typeArray:
		return inner, n, r.room(at, "arrays in an array", n, 8)
	case inner == typeString:
		if err := r.room(at, "strings in an array", n, 4); err != nil {
			return 0, 0, err
		}
		for ; n > 0; n-- {
			if err := r.text(key, true); err != nil {
				return 0, 0, err
			}
		}
		return inner, 0, nil
	case size == 0:
		return 0, 0, r.broken(at, "there is no type %d", inner)
	}
	if err := r.room(at, "numbers in an array", n, size); err != nil {
		return 0, 0, err
	}
	from := r.off
	head, err := r.peek(int(min(n*size, signatureLen)))
	if err != nil {
		return 0, 0, err
	}
	r.off += int64(n * size)
	if size == 1 && packed(head) {
		return inner, 0, r.member(key, from, int64(n))
	}
	return inner, 0, nil
}

// looked is the longest string that is looked through here, in bytes. A longer
// one is handed on unseen.
const looked = 64 << 10

// text reads a string and hands it on when it can be a template or a file.
func (r *reader) text(key string, inArray bool) error {
	at := r.off
	n, err := r.length()
	if err != nil {
		return err
	}
	if err := r.room(at, "bytes of a string", n, 1); err != nil {
		return err
	}
	if r.off > maxHeader {
		return scan.Limit(r.off, "a header of more than %d bytes", maxHeader)
	}
	from := r.off
	b, err := r.peek(int(min(n, looked)))
	if err != nil {
		return err
	}
	give := n > 0 && isTemplate(key) || n > looked || hasTemplate(b, inArray) ||
		!inArray && bytes.HasPrefix(b, []byte(`{"`)) || packed(b)
	r.off += int64(n)
	if give {
		return r.member(key, from, int64(n))
	}
	return nil
}

// shortToken is the longest element of an array that is surely a token of a
// vocabulary and no template, in bytes: "{{", "{%" and "}}" are tokens.
const shortToken = 16

func hasTemplate(b []byte, inArray bool) bool {
	if inArray && len(b) <= shortToken {
		return false
	}
	return bytes.Contains(b, []byte("{{")) || bytes.Contains(b, []byte("{%"))
}

// signatureLen is how much packed looks at, in bytes.
const signatureLen = 8

// packed reports the beginning of what is a file of its own.
func packed(b []byte) bool {
	for _, magic := range [...]string{"PK\x03\x04", "\x7fELF", "MZ\x90\x00", "\x1f\x8b\x08", "7z\xbc\xaf", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd", "\x89HDF", "\x93NUMPY"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	return len(b) > 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5 // a pickle
}

func (r *reader) member(name string, at, size int64) error {
	return r.sink.Member(r.ctx, scan.Member{Name: name, At: io.NewSectionReader(r.f, at, size), Size: size})
}
