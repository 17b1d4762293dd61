package gitpack

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // git's object ids are SHA-1; nothing is trusted because of them
	"encoding/hex"
	"fmt"
	"io"

	"modelwall/scan"
)

// report hands every blob to the sink: first the trees are read for names,
// then the blobs. Each delta is applied once, right after its base.
func (w *walk) report(ctx context.Context) error {
	for _, k := range []kind{tree, blob, commit, tag} {
		for i := range w.objects {
			if w.objects[i].kind != k {
				continue
			}
			if err := w.family(ctx, int32(i), k); err != nil {
				return err
			}
		}
	}
	if missing := w.deltas - w.resolved; missing > 0 {
		return scan.Limit(0, "%d objects are deltas against objects outside the pack", missing)
	}
	return nil
}

// frame is an object whose deltas are being applied.
type frame struct {
	content []byte
	off, id int32 // next child by offset and by id, -1 for none
}

// family reports a whole object and everything that is a delta against it,
// depth first: what is held in memory is one chain.
func (w *walk) family(ctx context.Context, root int32, k kind) error {
	o := &w.objects[root]
	kids := frame{off: first(w.byOffset, o.off), id: first(w.byID, o.id)}
	// Children by id belong to whoever resolves first: equal objects may come
	// twice.
	delete(w.byID, o.id)
	if kids.off < 0 && kids.id < 0 {
		if k == blob {
			return w.blob(ctx, o.id, w.stream(o))
		}
		if k != tree {
			return nil
		}
	}
	content, err := w.load(o)
	if err != nil {
		return err
	}
	if err := w.visit(ctx, k, o.id, content); err != nil {
		return err
	}
	kids.content = content
	stack, held := []frame{kids}, len(content)
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		child := top.off
		if child >= 0 {
			top.off = w.sibling[child]
		} else if child = top.id; child >= 0 {
			top.id = w.sibling[child]
		} else {
			held -= len(top.content)
			stack = stack[:len(stack)-1]
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		delta, err := w.load(&w.objects[child])
		if err != nil {
			return err
		}
		made, err := w.apply(&w.objects[child], top.content, delta)
		if err != nil {
			return err
		}
		w.resolved++
		name := identify(k, made)
		if err := w.visit(ctx, k, name, made); err != nil {
			return err
		}
		next := frame{content: made, off: first(w.byOffset, w.objects[child].off), id: first(w.byID, name)}
		delete(w.byID, name)
		if next.off < 0 && next.id < 0 {
			continue
		}
		if top.off < 0 && top.id < 0 { // done with: most chains hold one object at a time
			held -= len(top.content)
			stack = stack[:len(stack)-1]
		}
		if held += len(made); held > maxHeld {
			return scan.Limit(w.pack.position(w.objects[child].off), "a chain of deltas over %d bytes", maxHeld)
		}
		stack = append(stack, next)
	}
	return nil
}

// visit looks at one object that is in memory.
func (w *walk) visit(ctx context.Context, k kind, name id, content []byte) error {
	switch k {
	case blob:
		return w.blob(ctx, name, bytes.NewReader(content))
	case tree:
		w.learn(content)
	}
	return nil
}

func (w *walk) blob(ctx context.Context, name id, content io.Reader) error {
	called, ok := w.names[name]
	if !ok {
		called = hex.EncodeToString(name[:])
	}
	return w.sink.Member(ctx, scan.Member{Name: called, Stream: content})
}

// learn takes the names of blobs from a tree: "<mode> <name>\0<20-byte id>",
// again and again.
func (w *walk) learn(content []byte) {
	for len(content) > 0 && len(w.names) < maxNames {
		head, rest, ok := bytes.Cut(content, []byte{0})
		_, name, spaced := bytes.Cut(head, []byte{' '})
		if !ok || !spaced || len(rest) < sha1.Size {
			return // git will complain; names are only for people
		}
		if len(name) <= maxName {
			w.names[id(rest[:sha1.Size])] = string(name)
		}
		content = rest[sha1.Size:]
	}
}

func identify(k kind, content []byte) (out id) {
	h := sha1.New() //nolint:gosec // see the import
	fmt.Fprintf(h, "%s %d\x00", kindNames[k], len(content))
	h.Write(content)
	h.Sum(out[:0])
	return out
}

// stream inflates an object's data again, this time for the sink. It is read
// before the next one is asked for.
func (w *walk) stream(o *object) io.Reader {
	return &inflated{w: w, o: o}
}

type inflated struct {
	w *walk
	o *object
	z io.Reader
}

func (s *inflated) Read(p []byte) (int, error) {
	if s.z == nil {
		z, err := s.w.inflater.section(io.NewSectionReader(s.w.pack, s.o.data, s.w.pack.size-s.o.data))
		if err != nil {
			return 0, s.w.damage(s.o.data, err, "object data")
		}
		s.z = z
	}
	n, err := s.z.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // the end of a stream is io.EOF itself
		err = s.w.damage(s.o.data, err, "object data")
	}
	return n, err
}

// load inflates an object into memory.
func (w *walk) load(o *object) ([]byte, error) {
	if o.size > maxObject {
		return nil, scan.Limit(w.pack.position(o.off), "an object of %d bytes takes part in deltas", o.size)
	}
	if err := w.spend(o.size, o.off); err != nil {
		return nil, err
	}
	// Grown as bytes arrive, whatever the header announces.
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(w.stream(o), o.size)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// apply makes an object from its base and a delta: two sizes, then copies out
// of the base and literal insertions (gitformat-pack(5), "Deltified
// representation").
func (w *walk) apply(o *object, base, delta []byte) ([]byte, error) {
	bad := func(format string, args ...any) ([]byte, error) {
		return nil, w.malformed(o.off, "delta: "+format, args...)
	}
	source, delta, ok1 := deltaSize(delta)
	target, delta, ok2 := deltaSize(delta)
	if !ok1 || !ok2 || source != int64(len(base)) {
		return bad("for a base of %d bytes, got one of %d", source, len(base))
	}
	if target > maxObject {
		return nil, scan.Limit(w.pack.position(o.off), "a delta makes an object of %d bytes", target)
	}
	if err := w.spend(target, o.off); err != nil {
		return nil, err
	}
	made := make([]byte, 0, min(target, int64(len(base)+len(delta))))
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		var piece []byte
		if op&0x80 != 0 {
			var at, n int64
			for i := range 7 {
				if op>>i&1 == 0 {
					continue
				}
				if len(delta) == 0 {
					return bad("cut off in a copy")
				}
				if i < 4 {
					at |= int64(delta[0]) << (8 * i)
				} else {
					n |= int64(delta[0]) << (8 * (i - 4))
				}
				delta = delta[1:]
			}
			if n == 0 {
				n = 0x10000
			}
			if at+n > int64(len(base)) {
				return bad("copies bytes %d to %d of %d", at, at+n, len(base))
			}
			piece = base[at : at+n]
		} else {
			n := int(op)
			if n == 0 || n > len(delta) {
				return bad("inserts %d bytes of %d", n, len(delta))
			}
			piece, delta = delta[:n], delta[n:]
		}
		if int64(len(made)+len(piece)) > target {
			return bad("makes more than the %d bytes it announces", target)
		}
		made = append(made, piece...)
	}
	if int64(len(made)) != target {
		return bad("makes %d bytes, announces %d", len(made), target)
	}
	return made, nil
}

// deltaSize reads a little-endian number in groups of seven bits.
func deltaSize(b []byte) (n int64, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 9; i++ {
		n |= int64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}
