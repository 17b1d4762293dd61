package hdf5

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// data is a data set.
type data struct {
	path    string
	typ     datatype
	space   dataspace
	size    int64 // of all elements, in bytes
	layout  layout
	filters []int
}

// The filters that are undone here.
const (
	filterDeflate    = 1
	filterShuffle    = 2
	filterFletcher32 = 3
)

// registered is the first number of a filter that a plug-in brings. The HDF
// Group registers those up to 65535; below, every program uses its own.
const registered = 32_000

// filters reads a filter pipeline message. A filter that is not built in is a
// library that HDF5 loads from the plug-in folder of the machine.
func (w *walk) filters(path string, c *cursor) ([]int, error) {
	at := c.off
	version, count := c.u8(), c.u8()
	if version != 1 && version != 2 {
		return nil, scan.Malformed(at, "filter pipeline version %d", version)
	}
	if version == 1 {
		c.skip(6)
	}
	var all []int
	for range count {
		id, nameLen := c.u16(), 0
		if version == 1 || id >= 256 {
			nameLen = c.u16()
		}
		c.skip(2)
		values := c.u16()
		if version == 1 {
			nameLen = (nameLen + 7) &^ 7
		}
		c.skip(nameLen + 4*values)
		if version == 1 && values%2 == 1 {
			c.skip(4)
		}
		if err := c.err("a filter pipeline"); err != nil {
			return all, err
		}
		if id >= 512 && id < registered || id == 256 {
			w.finding("hdf5.filter", scan.Low, "unknown-construct", at,
				fmt.Sprintf("the data set %s needs filter %d, which nobody has registered: reading it loads a plug-in", quote(path), id))
		}
		all = append(all, id)
	}
	return all, nil
}

// promise notes an attribute that says that its data set holds pickles:
// PyTables and hickle go by it.
func (w *walk) promise(name string, at extent) {
	if name != "PSEUDOATOM" && name != "base_type" || at.n > 64 {
		return
	}
	b, err := w.r.at(at.off, at.n)
	if err == nil && (bytes.HasPrefix(b, []byte("object")) || bytes.Contains(b, []byte("pickle"))) {
		w.pickled = true
	}
}

// maxChunkSize bounds a chunk that is unpacked, in bytes.
const maxChunkSize = 16 << 20

// content looks into a data set of texts or bytes.
func (w *walk) content(ctx context.Context, d data) error {
	v := values{name: d.path, typ: d.typ, many: d.space.elements() > few || d.typ.class == classInteger}
	err := w.pieces(ctx, d, v)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// pieces goes through the parts of the file that hold a data set's elements.
func (w *walk) pieces(ctx context.Context, d data, v values) error {
	switch d.layout.class {
	case layoutCompact:
		return w.piece(ctx, v, extent{d.layout.data.off, min(d.layout.data.n, d.size)})
	case layoutContiguous:
		if d.layout.addr == undefined { // never written
			return nil
		}
		n := min(d.size, int64(min(d.layout.size, 1<<62)))
		off, err := w.r.place(d.layout.addr, n)
		if err != nil {
			return err
		}
		return w.piece(ctx, v, extent{off, n})
	case layoutChunked:
		return w.chunked(ctx, d, v)
	}
	return nil
}

func (w *walk) piece(ctx context.Context, v values, at extent) error {
	v.src, v.size, v.off = w.r.f.Section(at.off, at.n), at.n, at.off
	return w.values(ctx, v)
}

// chunked goes through the chunks. Bytes are one value over all chunks, of
// which the first tells what it is.
func (w *walk) chunked(ctx context.Context, d data, v values) error {
	if d.layout.addr == undefined {
		return nil
	}
	if !undoes(d.filters) {
		return w.sealed(ctx, d)
	}
	if d.typ.class == classInteger {
		return w.joined(ctx, d, v)
	}
	return w.eachChunk(d, func(s stored) error {
		if len(d.filters) == 0 {
			return w.piece(ctx, v, s.at)
		}
		b, err := w.unpack(d, s)
		if err != nil {
			return w.damage(err)
		}
		v.src, v.size, v.off = bytes.NewReader(b), int64(len(b)), -1
		return w.values(ctx, v)
	})
}

// sealed is a data set behind a filter that can not be undone here. Nothing
// reads programs out of such a one, unless an attribute says it is pickles.
// Rows of variable length lie unpacked in the global heap all the same.
func (w *walk) sealed(ctx context.Context, d data) error {
	switch {
	case w.pickled && d.typ.class == classVarLen:
		return w.sweep(ctx, d.path)
	case w.pickled:
		return scan.Limit(w.r.base, "the pickles in %s are packed by filters %v", quote(d.path), d.filters)
	}
	return nil
}

func undoes(filters []int) bool {
	for _, id := range filters {
		if id != filterDeflate && id != filterShuffle && id != filterFletcher32 {
			return false
		}
	}
	return true
}

// joined hands over bytes that lie in chunks when the first chunk begins as
// something to unpack.
func (w *walk) joined(ctx context.Context, d data, v values) error {
	var chunks []stored
	err := w.eachChunk(d, func(s stored) error {
		if len(chunks) == 0 {
			b, err := w.unpack(d, s)
			if err != nil {
				return err
			}
			b = b[:min(len(b), 512)]
			if len(b) < 2 || !packed(b) && !pickled(b, 0) && !w.pickled {
				return errEnough
			}
		}
		if len(chunks) >= maxCached {
			return scan.Limit(s.at.off, "more than %d chunks", maxCached)
		}
		chunks = append(chunks, s)
		return nil
	})
	if err != nil || len(chunks) == 0 {
		return err
	}
	src := &chunkReader{unpack: func(s stored) ([]byte, error) { return w.unpack(d, s) }, chunks: chunks}
	stream := io.LimitReader(src, d.size)
	return w.sink.Member(ctx, scan.Member{Name: v.name, Stream: stream})
}

// chunkReader reads the chunks one after another.
type chunkReader struct {
	unpack func(stored) ([]byte, error)
	chunks []stored
	rest   []byte
}

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if len(r.chunks) == 0 {
			return 0, io.EOF
		}
		b, err := r.unpack(r.chunks[0])
		if err != nil {
			return 0, err
		}
		r.rest, r.chunks = b, r.chunks[1:]
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// unpack undoes the filters of a chunk, last one first.
func (w *walk) unpack(d data, s stored) ([]byte, error) {
	size := d.layout.chunkSize()
	if size > maxChunkSize || s.at.n > maxChunkSize {
		return nil, scan.Limit(s.at.off, "a chunk of %d bytes", max(size, s.at.n))
	}
	if w.r.left -= s.at.n + size/8; w.r.left < 0 {
		return nil, scan.Limit(s.at.off, "the same bytes are used again and again")
	}
	b := make([]byte, s.at.n)
	if err := w.r.raw(b, s.at.off); err != nil {
		return nil, err
	}
	for i := len(d.filters) - 1; i >= 0; i-- {
		if s.mask&(1<<i) != 0 {
			continue
		}
		switch d.filters[i] {
		case filterDeflate:
			z, err := zlib.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, scan.Malformed(s.at.off, "a chunk: %w", err)
			}
			if b, err = io.ReadAll(io.LimitReader(z, size+4)); err != nil { // 4: a checksum inside
				return nil, scan.Malformed(s.at.off, "a chunk: %w", err)
			}
		case filterShuffle:
			b = unshuffle(b, int(min(d.typ.size, maxChunkSize)))
		case filterFletcher32:
			b = b[:max(0, len(b)-4)]
		}
	}
	return b, nil
}

// unshuffle puts the bytes of each element together again.
func unshuffle(b []byte, size int) []byte {
	if size < 2 || len(b) < size {
		return b
	}
	out := make([]byte, len(b))
	n := len(b) / size
	for i := range size {
		for j := range n {
			out[j*size+i] = b[i*n+j]
		}
	}
	copy(out[n*size:], b[n*size:])
	return out
}
