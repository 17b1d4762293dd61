package zip

import "fmt"

const localLen = 30

// flagDescriptor says that sizes and checksum follow the member's bytes.
const flagDescriptor = 1 << 3

// local is a local header.
type local struct {
	header
	data  int64 // offset of the member's first byte
	valid bool  // the signature is there
	sized bool  // the header itself gives the sizes
}

// readLocal reads the local header at off. It returns false when the file has
// no room for one. A header whose signature is wrong is read all the same,
// since a reader that does not check it takes the lengths from there.
func (w *walk) readLocal(off int64) (local, bool, error) {
	if off < 0 || off > w.size-localLen {
		return local{}, false, nil
	}
	b, err := w.r.upTo(off, localLen)
	if err != nil {
		return local{}, false, err
	}
	n := localLen + int(le.Uint16(b[26:])) + int(le.Uint16(b[28:]))
	if b, err = w.r.upTo(off, n); err != nil {
		return local{}, false, err
	}
	if len(b) < n {
		return local{}, false, nil
	}
	l := local{
		header: header{
			off:    off,
			flags:  le.Uint16(b[6:]),
			method: le.Uint16(b[8:]),
			crc:    le.Uint32(b[14:]),
			packed: int64(le.Uint32(b[18:])),
			size:   int64(le.Uint32(b[22:])),
		},
		data:  off + int64(n),
		valid: string(b[:4]) == sigLocal,
	}
	nameLen := int(le.Uint16(b[26:]))
	l.name = string(b[localLen : localLen+nameLen])
	l.extra(b[localLen+nameLen:], nil)
	// macOS writes the size ahead and the packed size behind the bytes.
	l.sized = l.flags&flagDescriptor == 0 || l.packed != 0 || l.size != 0 && l.method == methodStore
	return l, true, nil
}

// descriptorLen returns the length of the data descriptor at off, 0 without
// one. Its signature is optional and its sizes have 4 or 8 bytes; which it is
// shows in what follows.
func (w *walk) descriptorLen(off int64, crc uint32) (int64, error) {
	b, err := w.r.upTo(off, 28)
	if err != nil {
		return 0, err
	}
	var lengths [2]int
	switch {
	case len(b) >= 16 && string(b[:4]) == sigDescriptor:
		lengths = [2]int{16, 24}
	case len(b) >= 12 && le.Uint32(b) == crc && string(b[:2]) != "PK":
		lengths = [2]int{12, 20}
	default:
		return 0, nil
	}
	for _, n := range lengths {
		if len(b) >= n+2 && string(b[n:n+2]) == "PK" {
			return int64(n), nil
		}
	}
	return int64(lengths[0]), nil
}

// compare reports where a central record and its local header differ.
func (w *walk) compare(e *entry, l *local) {
	name := quote(e.name)
	if e.name != l.name {
		w.confusion("zip.name", l.off, fmt.Sprintf("the central directory calls it %s, its local header %s", name, quote(l.name)))
	}
	if e.method != l.method {
		w.confusion("zip.method", l.off, fmt.Sprintf("%s has method %d in the central directory and %d in its local header", name, e.method, l.method))
	}
	if !l.sized {
		if l.size != 0 && e.size != l.size {
			w.confusion("zip.size", l.off, fmt.Sprintf("%s has %d bytes in the central directory and %d in its local header", name, e.size, l.size))
		}
		return
	}
	if e.packed != l.packed || e.size != l.size {
		w.confusion("zip.size", l.off, fmt.Sprintf("%s has %d bytes (%d packed) in the central directory and %d (%d packed) in its local header",
			name, e.size, e.packed, l.size, l.packed))
	}
	if e.crc != l.crc && (l.flags&flagDescriptor == 0 || l.crc != 0) {
		w.confusion("zip.crc", l.off, name+" has different checksums in the central directory and in its local header")
	}
}
