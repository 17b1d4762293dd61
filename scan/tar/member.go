package tar

import (
	"context"
	"fmt"
	"path"
	"strings"

	"modelwall/scan"
)

// maxExtension is the most an extension header (pax records, a long name) may
// take, in bytes. It is what other readers accept.
const maxExtension = 1 << 20

// member judges the header at off and hands over its content. It returns the
// offset of the next header.
func (w *walk) member(ctx context.Context, b *block, off int64, next *overrides) (int64, error) {
	w.members++
	data := off + blockSize
	size, ok := b.size()
	if !ok {
		w.malformed(off, "the size field is not a number")
		return data, nil
	}
	flag := b.flag()
	switch flag {
	case typePax, typeSunPax, typePaxGlobal, typeGNULong, typeGNULink:
		return w.extension(flag, data, size, next)
	}
	over := *next
	*next = overrides{}

	name, link := b.name(), b.link()
	if over.name != "" {
		name = over.name
	}
	if over.link != "" {
		link = over.link
	}
	if over.set && over.size != size {
		if size != 0 {
			w.finding("tar.size", scan.SeveritySuspicious, "archive-confusion", off,
				fmt.Sprintf("the header gives %s %d bytes, its pax record %d", scan.Quote(name, 120), size, over.size))
			if err := w.content(ctx, name, data, size); err != nil {
				return 0, err
			}
		}
		size = over.size
	}
	w.judgeName(name, off)
	switch flag {
	case typeHardLink, typeSymlink:
		w.judgeLink(flag, name, link, off)
		if flag == typeHardLink && size > 0 { // libarchive gives it content, Python and GNU tar do not
			if err := w.content(ctx, name, data, size); err != nil {
				return 0, err
			}
		}
		size = 0
	case typeChar, typeBlock, typeFIFO:
		w.finding("tar.device", scan.SeveritySuspicious, "path-traversal", off,
			"makes a device or pipe named "+scan.Quote(name, 120))
		size = 0
	case typeDir:
		size = 0
	case typeGNUSparse:
		over.sparse = true
		var err error
		if data, err = w.skipSparseMaps(ctx, b, data); err != nil {
			return 0, err
		}
	}
	if size > 0 || isFile(flag) && !strings.HasSuffix(name, "/") {
		if err := w.content(ctx, name, data, size); err != nil {
			return 0, err
		}
	}
	if over.sparse {
		w.sparse(off)
	}
	return w.after(data, size), nil
}

// sparse notes that readers put the content of a member together from pieces,
// in an order and with holes that are not followed here.
func (w *walk) sparse(off int64) {
	w.finding("tar.sparse", scan.Low, "archive-confusion", off, "a sparse member was inspected without its holes")
	if w.problem == nil {
		w.problem = scan.Limit(off, "sparse members are not supported yet")
	}
}

func isFile(flag byte) bool {
	return flag == typeFile || flag == typeFileV7 || flag == typeContiguous
}

// after is where the header behind size bytes at data stands.
func (w *walk) after(data, size int64) int64 {
	if size > w.f.Size-data {
		return w.f.Size
	}
	return data + (size+blockSize-1)/blockSize*blockSize
}

// content hands over what there is of size bytes at data.
func (w *walk) content(ctx context.Context, name string, data, size int64) error {
	if left := max(0, w.f.Size-data); size > left {
		w.malformed(data, fmt.Sprintf("%s is cut off: %d of %d bytes are there", scan.Quote(name, 120), left, size))
		size = left
	}
	return w.sink.Member(ctx, scan.Member{Name: name, At: w.f.Section(data, size), Size: size})
}

// extension reads a header that describes the next member.
func (w *walk) extension(flag byte, data, size int64, next *overrides) (int64, error) {
	if size > w.f.Size-data {
		w.malformed(data, "an extension header is cut off")
		return w.f.Size, nil
	}
	if size > maxExtension {
		w.problem = scan.Limit(data, "an extension header of %d bytes", size)
		return w.after(data, size), nil
	}
	b := make([]byte, size)
	if err := w.read(b, data); err != nil {
		return 0, err
	}
	switch flag {
	case typeGNULong:
		next.name = cString(b)
	case typeGNULink:
		next.link = cString(b)
	case typePaxGlobal:
		// Global records are defaults that writers use for comments; those
		// that rename or resize every member are not written by any tool.
		var global overrides
		if !global.pax(b) {
			w.malformed(data, "pax records are not well formed")
		}
		if global.name != "" || global.link != "" || global.set {
			w.finding("tar.global", scan.SeveritySuspicious, "archive-confusion", data,
				"a global pax header overrides names or sizes, which readers treat differently")
		}
		if global.sparse {
			w.sparse(data)
		}
	default:
		if !next.pax(b) {
			w.malformed(data, "pax records are not well formed")
		}
	}
	return w.after(data, size), nil
}

// skipSparseMaps skips the blocks by which GNU's old sparse header continues.
func (w *walk) skipSparseMaps(ctx context.Context, b *block, data int64) (int64, error) {
	more := b[482] != 0
	for more && w.f.Size-data >= blockSize {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		var m block
		if err := w.read(m[:], data); err != nil {
			return 0, err
		}
		more = m[504] != 0
		data += blockSize
	}
	return data, nil
}

func (w *walk) judgeName(name string, off int64) {
	if escapes(name) {
		w.finding("tar.path", scan.SeverityMalicious, "path-traversal", off,
			"unpacks outside of its folder: "+scan.Quote(name, 200))
	}
}

// judgeLink reports links. A symbolic link's target counts from the folder of
// the link, a hard link's from the root of the archive.
func (w *walk) judgeLink(flag byte, name, link string, off int64) {
	kind, target := "a hard link", link
	if flag == typeSymlink {
		kind = "a symbolic link"
		if !absolute(link) {
			target = path.Dir(strings.ReplaceAll(name, `\`, "/")) + "/" + link
		}
	}
	text := fmt.Sprintf("%s is %s to %s", scan.Quote(name, 120), kind, scan.Quote(link, 120))
	if escapes(target) {
		w.finding("tar.link", scan.SeverityMalicious, "path-traversal", off, text+", outside of the archive")
		return
	}
	w.finding("tar.link", scan.Low, "path-traversal", off, text)
}

// escapes reports whether a name leads out of the folder that the archive is
// unpacked in, on Unix or on Windows.
func escapes(name string) bool {
	if absolute(name) {
		return true
	}
	depth := 0
	for part := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
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

// absolute reports a name that starts at a root or at a Windows drive.
func absolute(name string) bool {
	if name == "" {
		return false
	}
	drive := len(name) >= 2 && name[1] == ':' && (name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z')
	return name[0] == '/' || name[0] == '\\' || drive
}
