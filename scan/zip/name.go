package zip

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"modelwall/scan"
)

func quote(name string) string { return scan.Quote(name, 120) }

func isFolder(name string, size int64) bool { return size == 0 && strings.HasSuffix(name, "/") }

// The flag bits that make some readers refuse a member and others not.
const (
	flagEncrypted = 1 << 0
	flagPatched   = 1 << 5
	flagStrong    = 1 << 6
	flagMasked    = 1 << 13
	flagEOS       = 1 << 1 // LZMA: an end mark follows the data
)

// judge reports what is wrong with one header by itself.
func (w *walk) judge(h *header, off int64) {
	w.judgeName(h.name, off)
	if h.unicode != "" && h.unicode != h.name {
		w.judgeName(h.unicode, off)
		if isASCII(h.name) {
			w.confusion("zip.name", off, fmt.Sprintf("%s has a second name, %s", quote(h.name), quote(h.unicode)))
		}
	}
	w.judgeFlags(h, off)
	if h.method == methodStore && h.size != h.packed && h.flags&flagEncrypted == 0 {
		w.confusion("zip.size", off, fmt.Sprintf("%s is stored and yet has %d bytes in the archive and %d outside of it", quote(h.name), h.packed, h.size))
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

func (w *walk) judgeFlags(h *header, off int64) {
	const mask = flagEncrypted | flagPatched | flagStrong | flagMasked
	if bits := h.flags & mask; bits != 0 {
		w.confusion("zip.flags", off, fmt.Sprintf("%s has flag bits %#04x (encrypted, patched or masked): some readers refuse it, others do not look", quote(h.name), bits))
	}
}

func (w *walk) judgeName(name string, off int64) {
	slashed := strings.ReplaceAll(name, `\`, "/")
	switch {
	case strings.Contains(name, "\x00"):
		w.confusion("zip.name", off, quote(name)+" contains a zero byte: Python cuts the name there")
	case escapes(slashed):
		w.finding("zip.path", scan.SeverityMalicious, "path-traversal", off, "unpacks outside of its folder: "+quote(name))
	case strings.Contains("/"+slashed+"/", "/../"):
		w.confusion("zip.path", off, "the name goes up and down folders: "+quote(name))
	case name != slashed:
		w.finding("zip.path", scan.Low, "archive-confusion", off, "the name has backslashes: "+quote(name))
	}
}

// escapes reports whether a name with forward slashes leads out of the folder
// that the archive is unpacked in, on Unix or on Windows.
func escapes(name string) bool {
	if strings.HasPrefix(name, "/") || len(name) >= 2 && name[1] == ':' && name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z' {
		return true
	}
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// maxTarget is the longest path that a system takes for a link.
const maxTarget = 4 << 10

// judgeLink reports a symbolic link; its content is where it leads.
func (w *walk) judgeLink(ctx context.Context, m member) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	text := quote(m.name) + " is a symbolic link"
	st := w.stream(m)
	defer st.close()
	target, err := io.ReadAll(io.LimitReader(st, maxTarget+1))
	if st.transport() != nil {
		return err
	}
	if err != nil || len(target) > maxTarget {
		w.finding("zip.symlink", scan.SeveritySuspicious, "path-traversal", m.at, text+" to nowhere")
		return nil
	}
	slashed := strings.ReplaceAll(string(target), `\`, "/")
	from := slashed
	if !strings.HasPrefix(slashed, "/") {
		from = path.Dir(strings.ReplaceAll(m.name, `\`, "/")) + "/" + slashed
	}
	if escapes(slashed) && !strings.HasPrefix(slashed, "..") || escapes(from) {
		w.finding("zip.symlink", scan.SeverityMalicious, "path-traversal", m.at,
			fmt.Sprintf("%s to %s, outside of the archive", text, quote(string(target))))
		return nil
	}
	w.finding("zip.symlink", scan.Low, "path-traversal", m.at, fmt.Sprintf("%s to %s", text, quote(string(target))))
	return nil
}
