package data

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"

	"modelwall/scan"
)

// The wire types of protobuf.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// protobufHead reports whether head can be the beginning of a protobuf
// message: fields follow each other without a gap as far as it goes, and one
// of them holds bytes.
func protobufHead(head []byte) bool {
	held := false
	for len(head) > 0 {
		tag, n := binary.Uvarint(head)
		if n == 0 {
			return held
		}
		if n < 0 || !validTag(tag) {
			return false
		}
		head = head[n:]
		var skip uint64
		switch tag & 7 {
		case wireVarint:
			if _, n = binary.Uvarint(head); n < 0 {
				return false
			}
			skip = uint64(n)
			if n == 0 {
				return held
			}
		case wireFixed64:
			skip = 8
		case wireFixed32:
			skip = 4
		case wireBytes:
			if skip, n = binary.Uvarint(head); n <= 0 {
				return n == 0 && held
			}
			held = true
			head = head[n:]
		}
		if skip >= uint64(len(head)) {
			return held
		}
		head = head[skip:]
	}
	return held
}

func validTag(tag uint64) bool {
	switch tag & 7 {
	case wireVarint, wireFixed64, wireBytes, wireFixed32:
		return tag>>3 >= 1 && tag>>3 < 1<<29
	}
	return false
}

// message is what the walk over the top level of a protobuf found.
type message struct {
	valid  bool // fields follow each other to the last byte, one holds bytes
	pieces bool // every field 1 is an entry of a sentencepiece vocabulary
}

// minMessage is the shortest message that tells anything, in bytes.
const minMessage = 8

// protobuf walks the top level from the first byte to the last.
func (in *input) protobuf(ctx context.Context) (message, error) {
	m := message{pieces: true}
	if in.Size < minMessage {
		return m, nil
	}
	w := &wireReader{in: in}
	entries := 0
	for w.off < in.Size {
		if err := ctx.Err(); err != nil {
			return message{}, err
		}
		tag := w.uvarint()
		if w.err == nil && !validTag(tag) {
			return message{}, nil
		}
		switch tag & 7 {
		case wireVarint:
			w.uvarint()
		case wireFixed64:
			w.skip(8)
		case wireFixed32:
			w.skip(4)
		case wireBytes:
			n := w.uvarint()
			m.valid = true
			if tag>>3 == 1 && m.pieces {
				entries++
				m.pieces = w.piece(n)
			} else {
				w.skip(n)
			}
		}
		switch {
		case errors.Is(w.err, errWire):
			return message{}, nil
		case w.err != nil:
			return message{}, w.err
		}
	}
	m.pieces = m.pieces && entries > 0
	return m, nil
}

var errWire = errors.New("not a protobuf")

// wireReader reads fields; after the first error it reads zeros.
type wireReader struct {
	in  *input
	buf *bufio.Reader
	end int64 // where buf stands
	off int64
	err error
}

// at returns a buffer that stands at off.
func (w *wireReader) at() *bufio.Reader {
	if w.buf == nil || w.end != w.off {
		src := &sectionReader{in: w.in, off: w.off}
		if w.buf == nil {
			w.buf = bufio.NewReaderSize(src, 4<<10)
		} else {
			w.buf.Reset(src)
		}
		w.end = w.off
	}
	return w.buf
}

// sectionReader reads the file from off on.
type sectionReader struct {
	in  *input
	off int64
}

// Read implements io.Reader.
func (r *sectionReader) Read(p []byte) (int, error) {
	n := min(int64(len(p)), r.in.Size-r.off)
	if n <= 0 {
		return 0, io.EOF
	}
	if err := r.in.read(p[:n], r.off); err != nil {
		return 0, err
	}
	r.off += n
	return int(n), nil
}

func (w *wireReader) byte() byte {
	if w.err != nil {
		return 0
	}
	b, err := w.at().ReadByte()
	if errors.Is(err, io.EOF) {
		err = errWire
	}
	if err != nil {
		w.err = err
		return 0
	}
	w.off++
	w.end++
	return b
}

func (w *wireReader) uvarint() uint64 {
	var v uint64
	for i := range binary.MaxVarintLen64 {
		b := w.byte()
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return v
		}
	}
	w.fail()
	return 0
}

func (w *wireReader) fail() {
	if w.err == nil {
		w.err = errWire
	}
}

func (w *wireReader) skip(n uint64) {
	if n > uint64(w.in.Size-w.off) {
		w.fail()
		return
	}
	if b := w.at(); n <= uint64(b.Buffered()) {
		_, _ = b.Discard(int(n)) // buffered: can not fail
		w.end += int64(n)
	}
	w.off += int64(n)
}

// piece skips n bytes of field 1 and reports whether they are an entry of a
// sentencepiece vocabulary: a string, a score (float) and maybe a type. In a
// TensorFlow graph, the one other wide-spread format whose field 1 repeats,
// the second field is the operation, a string.
func (w *wireReader) piece(n uint64) bool {
	const tagPiece, tagScore, tagType = 1<<3 | wireBytes, 2<<3 | wireFixed32, 3<<3 | wireVarint
	if n > uint64(w.in.Size-w.off) {
		w.fail()
		return false
	}
	end := w.off + int64(n)
	ok := n > 0 && w.uvarint() == tagPiece
	if ok {
		text := w.uvarint()
		if ok = text <= uint64(max(0, end-w.off)); ok {
			w.skip(text)
		}
	}
	ok = ok && w.off < end && w.uvarint() == tagScore
	if ok {
		w.skip(4)
	}
	if ok && w.off < end {
		ok = w.uvarint() == tagType
		if ok {
			w.uvarint()
		}
	}
	ok = ok && w.off == end
	if w.off > end {
		w.fail()
		return false
	}
	w.skip(uint64(end - w.off))
	return ok
}

func matchSentencePiece(p scan.Probe) bool {
	return len(p.Head) > 2 && p.Head[0] == 1<<3|wireBytes && protobufHead(p.Head)
}

func scanSentencePiece(ctx context.Context, in *input) error {
	m, err := in.protobuf(ctx)
	if err == nil && !(m.valid && m.pieces) {
		return foreign(0, "not a vocabulary")
	}
	return err
}
