package sevenzip

import (
	"errors"
	"unicode/utf16"
)

// The property ids of the header.
const (
	idEnd             = 0x00
	idHeader          = 0x01
	idArchiveProps    = 0x02
	idMoreStreams     = 0x03
	idMainStreams     = 0x04
	idFiles           = 0x05
	idPackInfo        = 0x06
	idUnpackInfo      = 0x07
	idSubStreams      = 0x08
	idSize            = 0x09
	idCRC             = 0x0a
	idFolder          = 0x0b
	idUnpackSizes     = 0x0c
	idNumUnpackStream = 0x0d
	idEmptyStream     = 0x0e
	idEmptyFile       = 0x0f
	idNames           = 0x11
	idAttributes      = 0x15
	idEncodedHeader   = 0x17
)

// Bounds of the counts in a header.
const (
	maxFiles   = 1 << 16
	maxFolders = 1 << 13
	maxStreams = 32 // coders, inputs and outputs of a folder, as in 7-Zip
)

var (
	errTooMany = errors.New("more files or folders than are looked at")
	errShort   = errors.New("cut off")
	errFormat  = errors.New("not as the format has it")
)

// header is the list of files.
type header struct {
	streams *streams
	files   []file
}

type file struct {
	name       string
	empty      bool // no bytes in any stream
	emptyFile  bool // if empty: a file, not a folder
	attributes uint32
}

// streams are the packed streams and the folders that decode them.
type streams struct {
	packPos   uint64
	packSizes []uint64
	folders   []folder
	cut       [][]uint64 // for each folder the sizes of the files in it
	crcs      []digest   // for each file with bytes
}

type digest struct {
	sum     uint32
	defined bool
}

// folder is a chain of coders.
type folder struct {
	coders []coder
	binds  []bind
	packed []uint64 // the inputs that packed streams feed
	sizes  []uint64 // of the outputs
	crc    uint32
	hasCRC bool
}

type coder struct {
	id      string
	in, out uint64
	props   []byte
}

// bind says that an input takes what an output gives.
type bind struct{ in, out uint64 }

func (c *cursor) header() *header {
	h := &header{streams: &streams{}}
	id := c.byte()
	if id == idArchiveProps {
		for c.err == nil && c.byte() != idEnd {
			c.take(c.number())
		}
		id = c.byte()
	}
	if id == idMoreStreams {
		c.streams()
		id = c.byte()
	}
	if id == idMainStreams {
		h.streams = c.streams()
		id = c.byte()
	}
	if id == idFiles {
		h.files = c.files()
		id = c.byte()
	}
	if id != idEnd {
		c.bad(errFormat)
	}
	return h
}

func (c *cursor) streams() *streams {
	st := &streams{}
	id := c.byte()
	if id == idPackInfo {
		c.packInfo(st)
		id = c.byte()
	}
	if id == idUnpackInfo {
		c.unpackInfo(st)
		id = c.byte()
	}
	for i := range st.folders {
		st.cut = append(st.cut, []uint64{st.folders[i].unpacked()})
	}
	if id == idSubStreams {
		c.subStreams(st)
		id = c.byte()
	} else {
		for _, f := range st.folders {
			st.crcs = append(st.crcs, digest{f.crc, f.hasCRC})
		}
	}
	if id != idEnd {
		c.bad(errFormat)
	}
	return st
}

func (c *cursor) packInfo(st *streams) {
	st.packPos = c.number()
	n := c.count(maxFolders * 4)
	id := c.byte()
	if id == idSize {
		for range n {
			if c.err != nil {
				return
			}
			st.packSizes = append(st.packSizes, c.number())
		}
		id = c.byte()
	}
	if id == idCRC {
		c.digests(int(n))
		id = c.byte()
	}
	if id != idEnd {
		c.bad(errFormat)
	}
}

func (c *cursor) unpackInfo(st *streams) {
	c.expect(idFolder)
	n := c.count(maxFolders)
	c.expect(0) // the folders are here, not in another stream
	for range n {
		if c.err != nil {
			return
		}
		st.folders = append(st.folders, c.folder())
	}
	c.expect(idUnpackSizes)
	for i := range st.folders {
		f := &st.folders[i]
		for _, k := range f.coders {
			for range k.out {
				f.sizes = append(f.sizes, c.number())
			}
		}
	}
	id := c.byte()
	if id == idCRC {
		for i, d := range c.digests(len(st.folders)) {
			st.folders[i].crc, st.folders[i].hasCRC = d.sum, d.defined
		}
		id = c.byte()
	}
	if id != idEnd {
		c.bad(errFormat)
	}
}

func (c *cursor) folder() folder {
	var f folder
	var ins, outs uint64
	for range c.count(maxStreams) {
		flags := c.byte()
		k := coder{id: string(c.take(uint64(flags & 0x0f))), in: 1, out: 1}
		if flags&0x10 != 0 {
			k.in, k.out = c.count(maxStreams), c.count(maxStreams)
		}
		if flags&0x20 != 0 {
			k.props = c.take(c.number())
		}
		if flags&0x80 != 0 {
			c.bad(errFormat)
		}
		ins, outs = ins+k.in, outs+k.out
		f.coders = append(f.coders, k)
	}
	if outs == 0 || ins > maxStreams || outs > maxStreams || ins < outs-1 {
		c.bad(errFormat)
		return folder{}
	}
	for range outs - 1 {
		f.binds = append(f.binds, bind{c.number(), c.number()})
	}
	if n := ins - (outs - 1); n == 1 {
		for i := range ins {
			if !f.bound(i) {
				f.packed = append(f.packed, i)
			}
		}
	} else {
		for range n {
			f.packed = append(f.packed, c.number())
		}
	}
	return f
}

func (f *folder) bound(in uint64) bool {
	for _, b := range f.binds {
		if b.in == in {
			return true
		}
	}
	return false
}

// unpacked is the size of the output that no other coder takes.
func (f *folder) unpacked() uint64 {
	for i := range f.sizes {
		taken := false
		for _, b := range f.binds {
			taken = taken || b.out == uint64(i)
		}
		if !taken {
			return f.sizes[i]
		}
	}
	return 0
}

func (c *cursor) subStreams(st *streams) {
	counts := make([]uint64, len(st.folders))
	for i := range counts {
		counts[i] = 1
	}
	id := c.byte()
	if id == idNumUnpackStream {
		var total uint64
		for i := range counts {
			counts[i] = c.count(maxFiles)
			if total += counts[i]; total > maxFiles {
				c.bad(errTooMany)
				return
			}
		}
		id = c.byte()
	}
	withSizes := id == idSize
	for i := range st.folders {
		c.cut(st, i, counts[i], withSizes)
	}
	if withSizes {
		id = c.byte()
	}
	unknown := 0 // digests that the folders do not already have
	for i, f := range st.folders {
		if counts[i] != 1 || !f.hasCRC {
			unknown += int(counts[i])
		}
	}
	var given []digest
	if id == idCRC {
		given = c.digests(unknown)
		id = c.byte()
	} else {
		given = make([]digest, unknown)
	}
	for i, f := range st.folders {
		if counts[i] == 1 && f.hasCRC {
			st.crcs = append(st.crcs, digest{f.crc, true})
			continue
		}
		st.crcs = append(st.crcs, given[:counts[i]]...)
		given = given[counts[i]:]
	}
	if id != idEnd {
		c.bad(errFormat)
	}
}

// cut reads the sizes of the n files in folder i; the last one is the rest.
func (c *cursor) cut(st *streams, i int, n uint64, withSizes bool) {
	left := st.folders[i].unpacked()
	st.cut[i] = nil
	for j := range n {
		size := left
		if j+1 < n {
			if !withSizes {
				c.bad(errFormat)
				return
			}
			size = c.number()
		}
		if size > left {
			c.bad(errFormat)
			return
		}
		left -= size
		st.cut[i] = append(st.cut[i], size)
	}
}

func (c *cursor) files() []file {
	files := make([]file, c.count(maxFiles))
	empty := 0
	for c.err == nil {
		id := c.byte()
		if id == idEnd {
			break
		}
		p := &cursor{b: c.take(c.number())}
		switch id {
		case idEmptyStream:
			empty = 0
			for i, e := range p.bools(len(files)) {
				files[i].empty = e
				if e {
					empty++
				}
			}
		case idEmptyFile:
			set := p.bools(empty)
			for i, j := 0, 0; i < len(files) && j < len(set); i++ {
				if files[i].empty {
					files[i].emptyFile = set[j]
					j++
				}
			}
		case idNames:
			p.expect(0)
			p.names(files)
		case idAttributes:
			defined := p.optionalBools(len(files))
			p.expect(0)
			for i := range files {
				if defined[i] {
					files[i].attributes = p.uint32()
				}
			}
		}
		if p.err != nil {
			c.bad(p.err)
		}
	}
	return files
}

// names reads UTF-16 strings that end in a zero.
func (c *cursor) names(files []file) {
	for i := range files {
		var units []uint16
		for {
			b := c.take(2)
			if b == nil {
				return
			}
			u := le.Uint16(b)
			if u == 0 {
				break
			}
			units = append(units, u)
		}
		files[i].name = string(utf16.Decode(units))
	}
}
