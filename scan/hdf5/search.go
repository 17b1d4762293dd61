package hdf5

import (
	"bytes"
	"context"

	"modelwall/scan"
)

// Bounds of the search through a damaged file, in bytes.
const (
	searchChunk = 1 << 20
	maxConfig   = 16 << 20 // of one configuration
	maxSearched = 1 << 30
)

// search looks through all bytes for the configuration of a Keras model, which
// other readers may still find where the structure is damaged.
func (w *walk) search(ctx context.Context, from int64) error {
	key := []byte(`"class_name"`)
	buf := make([]byte, searchChunk+len(key))
	end := min(w.r.f.Size, from+maxSearched)
	done := from // up to here everything was handed over or is no text
	for at := from; at < end; at += searchChunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), w.r.f.Size-at)]
		if err := w.r.raw(b, at); err != nil {
			return err
		}
		for i := 0; i < len(b); {
			n := bytes.Index(b[i:], key)
			if n < 0 {
				break
			}
			i += n
			hit := at + int64(i)
			i += len(key)
			if hit < done {
				continue
			}
			x, err := w.text(hit, done)
			if err != nil {
				return err
			}
			done = x.off + x.n
			if !w.handed[x] {
				w.finding("hdf5.found", scan.Low, "broken-file", x.off, "the configuration of a model, found by a search through the damaged file")
				if err := w.sink.Member(ctx, scan.Member{Name: "(found)", At: w.r.f.Section(x.off, x.n), Size: x.n}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// text returns the text around hit, from the first brace on, not before a
// place.
func (w *walk) text(hit, before int64) (extent, error) {
	start, brace := hit, hit
	for start > before && hit-start < maxConfig {
		n := min(4<<10, start-before)
		b := make([]byte, n)
		if err := w.r.raw(b, start-n); err != nil {
			return extent{}, err
		}
		i := bytes.LastIndexFunc(b, control) + 1
		if j := bytes.IndexByte(b[i:], '{'); j >= 0 {
			brace = start - n + int64(i+j)
		}
		start -= n
		if i > 0 {
			break
		}
	}
	end := hit
	for end < w.r.f.Size && end-hit < maxConfig {
		b := make([]byte, min(4<<10, w.r.f.Size-end))
		if err := w.r.raw(b, end); err != nil {
			return extent{}, err
		}
		if i := bytes.IndexFunc(b, control); i >= 0 {
			end += int64(i)
			break
		}
		end += int64(len(b))
	}
	return extent{brace, end - brace}, nil
}

// control reports whether a character has no place in a text.
func control(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f }

// sweep looks at the objects of every global heap collection, wherever it is:
// those are the rows of a data set whose references can not be read. It goes
// through the file once.
func (w *walk) sweep(ctx context.Context, path string) error {
	if w.swept {
		return nil
	}
	w.swept = true
	buf := make([]byte, searchChunk)
	for at := w.r.base; at < w.r.f.Size; at += searchChunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), w.r.f.Size-at)]
		if err := w.r.raw(b, at); err != nil {
			return err
		}
		for i := 0; i+8 <= len(b); i += 8 { // collections are aligned
			if string(b[i:i+4]) != "GCOL" {
				continue
			}
			objects, err := w.r.collection(uint64(at - w.r.base + int64(i)))
			if err := w.damage(err); err != nil {
				return err
			}
			for _, o := range objects {
				e := element{name: path, src: w.r.f.Section(o.at.off, o.at.n), size: o.at.n, off: o.at.off, many: true}
				if _, err := w.element(ctx, e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
