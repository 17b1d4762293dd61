package xet

import (
	"errors"
	"io"
)

var errSeek = errors.New("seek before the start of a xorb")

// Xorb returns the framed form of a block, read from the content of its file.
// It reads content only where the bytes asked for lie, and passes its errors
// on; a file that is shorter than announced is io.ErrUnexpectedEOF.
func (b Block) Xorb(content io.ReadSeeker) io.ReadSeeker { return &xorb{Block: b, content: content} }

type xorb struct {
	Block
	content io.ReadSeeker
	off     int64 // in the xorb
	at      int64 // where content stands, in the block
	placed  bool  // whether it stands there
}

// Seek implements io.Seeker.
func (x *xorb) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += x.off
	case io.SeekEnd:
		offset += x.Framed()
	}
	if offset < 0 {
		return 0, errSeek
	}
	x.off = offset
	return offset, nil
}

// Read implements io.Reader. It fills p over the borders of chunks, so that
// headers do not make many small reads of it.
func (x *xorb) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		if x.off >= x.Framed() {
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		}
		var k int
		k, err = x.piece(p[n:])
		n += k
		x.off += int64(k)
		if k == 0 && err == nil {
			return n, nil
		}
		if n > 0 && x.placed && x.at%ChunkSize != 0 {
			// The content gave less than there is: it may have to wait for
			// more, and what is here should not.
			return n, err
		}
	}
	return n, err
}

// piece reads from one header or from the content of one chunk.
func (x *xorb) piece(p []byte) (int, error) {
	chunk, within := x.off/(ChunkSize+HeaderSize), x.off%(ChunkSize+HeaderSize)
	start := chunk * ChunkSize
	length := min(ChunkSize, x.Length()-start)
	if within < HeaderSize {
		h := header(length)
		return copy(p, h[within:]), nil
	}
	at := start + within - HeaderSize
	if !x.placed || x.at != at {
		if _, err := x.content.Seek(x.Start()+at, io.SeekStart); err != nil {
			return 0, err
		}
		x.at, x.placed = at, true
	}
	k, err := x.content.Read(p[:min(int64(len(p)), start+length-at)])
	x.at += int64(k)
	if errors.Is(err, io.EOF) {
		if err = nil; k == 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return k, err
}
