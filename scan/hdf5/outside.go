package hdf5

import (
	"fmt"
	"strings"

	"modelwall/scan"
)

// reach is how far out of the folder a file name leads.
type reach int

const (
	beside  reach = iota // relative, in the folder or below
	outside              // absolute, or up
	network              // to another machine
)

// reachOf judges a name as a POSIX system and as Windows read it.
func reachOf(name string) reach {
	s := strings.ReplaceAll(name, `\`, "/")
	switch {
	case strings.HasPrefix(s, "//"), strings.Contains(s, "://"):
		return network
	case strings.HasPrefix(s, "/"), len(s) > 1 && s[1] == ':', strings.HasPrefix(s, "~"):
		return outside
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == ".." {
			return outside
		}
	}
	return beside
}

// externalLink judges a link into another file. A loader that walks the groups
// or asks for the name opens that file.
func (w *walk) externalLink(at int64, path, file, object string) {
	sev := scan.SeveritySuspicious
	if reachOf(file) == network {
		sev = scan.SeverityMalicious
	}
	w.finding("hdf5.external_link", sev, "file-access", at,
		fmt.Sprintf("%s leads to %s in the file %s: a loader opens that one", quote(path), quote(object), quote(file)))
}

// externalStorage judges the files that hold the bytes of a data set: any
// file of the machine becomes its content, whatever is in it.
func (w *walk) externalStorage(path string, c *cursor) error {
	at := c.off
	c.skip(4 + 2)
	count := c.u16()
	heap, err := w.r.localHeap(c.address())
	if err != nil {
		w.finding("hdf5.external_storage", scan.SeveritySuspicious, "file-access", at, "the data set "+quote(path)+" takes its bytes from another file")
		return err
	}
	for range count {
		nameAt := c.size()
		c.skip(2 * w.r.len)
		if err := c.err("a list of external files"); err != nil {
			return err
		}
		name, err := w.r.heapText(heap, nameAt)
		if err != nil {
			return err
		}
		sev := scan.SeveritySuspicious
		if reachOf(name) != beside {
			sev = scan.SeverityMalicious
		}
		w.finding("hdf5.external_storage", sev, "file-access", at,
			fmt.Sprintf("the data set %s takes its bytes from the file %s: a loader reads that as tensors", quote(path), quote(name)))
	}
	return nil
}

// virtual judges a data set that is put together from those of other files.
func (w *walk) virtual(path string, l layout) error {
	if l.addr == undefined {
		return nil
	}
	at, err := w.globalHeap(l.addr, l.slot)
	if err != nil {
		return err
	}
	b, err := w.r.at(at.off, at.n)
	if err != nil {
		return err
	}
	c := w.r.cursor(b, at.off)
	version := c.u8()
	count := c.size()
	for i := uint64(0); i < count; i++ {
		if version > 0 { // of HDF5 2.0, which leaves names out
			w.virtualFile(path, at.off, "")
			return nil
		}
		file, _ := c.text(), c.text()
		if c.bad {
			return c.err("the map of a virtual data set")
		}
		if file != "." {
			w.virtualFile(path, at.off, file)
		}
		source, target := selection(c), selection(c)
		if !source || !target {
			w.virtualFile(path, at.off, "")
			return nil
		}
	}
	return nil
}

// virtualFile reports a source; "" is one that could not be read.
func (w *walk) virtualFile(path string, at int64, file string) {
	from := "the file " + quote(file)
	if file == "" {
		from = "a file whose name could not be read"
	}
	sev := scan.SeveritySuspicious
	if reachOf(file) == network {
		sev = scan.SeverityMalicious
	}
	w.finding("hdf5.virtual", sev, "file-access", at,
		fmt.Sprintf("the virtual data set %s takes its elements from %s: a loader opens that one", quote(path), from))
}

// selection skips which elements of a data set are meant, and tells whether it
// could.
func selection(c *cursor) bool {
	kind, version := c.u32(), c.u32()
	switch {
	case kind == 0 || kind == 3: // none, all
		c.skip(8)
	case version == 1:
		c.skip(4)
		c.skip(int(c.u32()))
	case version == 2:
		c.skip(1)
		c.skip(int(c.u32()))
	case kind == 2 && version == 3: // blocks
		flags, width, rank := c.u8(), c.u8(), int(c.u32())
		if rank > maxRank {
			return false
		}
		if flags&1 != 0 {
			c.skip(4 * rank * width)
		} else {
			n := c.uint(width)
			if n > 1<<20 {
				return false
			}
			c.skip(int(n) * 2 * rank * width)
		}
	default:
		return false
	}
	return !c.bad
}
