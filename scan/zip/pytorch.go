package zip

import (
	"bytes"
	"strings"
)

// In a PyTorch archive, <root>/data.pkl is the program and <root>/data/<number>
// are the numbers of its tensors, which torch.load maps into memory and
// interprets in no way. They make up nearly all of a checkpoint, and while that
// is still on its way, each look at one is a request to the server. So they are
// handed to the engine only when there is a question: their headers disagree,
// or their first bytes are those of something that another loader would unpack.

// torchRoots returns the folders of d that hold a data.pkl.
func torchRoots(d *directory) map[string]bool {
	roots := map[string]bool{}
	for i := range d.entries {
		if root, ok := strings.CutSuffix(d.entries[i].name, "/data.pkl"); ok {
			roots[root] = true
		}
	}
	return roots
}

// tensor reports whether e is a storage that holds nothing but numbers.
func (w *walk) tensor(e *entry, l *local, roots map[string]bool) (bool, error) {
	if !w.storage(e, l, roots) {
		return false, nil
	}
	return w.numbers(l.data, e.packed)
}

// storage reports whether e is a tensor's storage below one of roots, stored
// as it is, and its local header says nothing else.
func (w *walk) storage(e *entry, l *local, roots map[string]bool) bool {
	if !isStorage(e.name, roots) {
		return false
	}
	const odd = flagEncrypted | flagPatched | flagStrong | flagMasked
	return l.valid && !e.symlink && (e.flags|l.flags)&odd == 0 && len(readings(e, l)) == 1 &&
		e.method == methodStore && e.packed == e.size && e.packed <= w.size-l.data
}

// isStorage reports whether a member has the name of a storage below one of
// roots.
func isStorage(name string, roots map[string]bool) bool {
	root, key, ok := cutLast(name, "/data/")
	return ok && roots[root] && key != "" && strings.Trim(key, "0123456789") == ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// numbers reports whether n bytes at off are nothing but numbers, judging by
// the first of them, which mostly came with the local header.
func (w *walk) numbers(off, n int64) (bool, error) {
	const look = 64
	head, err := w.r.upTo(off, int(min(look, n)))
	if err != nil {
		return false, err
	}
	for _, magic := range []string{
		sigLocal, sigEnd, "\x93NUMPY", "\x89HDF", "7z\xbc\xaf", "\x1f\x8b\x08", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd",
		"\x04\x22\x4d\x18", "\x02\x21\x4c\x18", "\x78\x01", "\x78\x5e", "\x78\x9c", "\x78\xda", "\x5d\x00\x00",
		"\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05", // pickles of protocols 2 to 5
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return false, nil
		}
	}
	// A pickle of protocol 0 is text.
	text := bytes.IndexFunc(head, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\n' && r != '\r' && r != '\t' }) < 0
	return !text || n == 0, nil
}
