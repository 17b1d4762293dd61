package sevenzip

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"math"

	library "github.com/bodgit/sevenzip"

	"modelwall/scan"
	"modelwall/scan/internal/decode"
)

// decoder decodes the files of an archive by a header written here, so that
// the library parses nothing an attacker wrote.
type decoder struct {
	src   *source
	files []*library.File
}

// decoder checks where the packed streams of st lie, and prepares to decode
// them. Every folder has to be decodable.
func (a *archive) decoder(st *streams, packedEnd int64) (d *decoder, err error) {
	total := st.packPos
	for _, n := range st.packSizes {
		if total > math.MaxInt64/2 || n > math.MaxInt64/2 {
			return nil, scan.Malformed(signatureLen, "packed streams of more bytes than any file has")
		}
		total += n
	}
	if total > uint64(packedEnd-signatureLen) {
		return nil, scan.Malformed(packedEnd, "the packed streams reach beyond the list of files")
	}
	head, err := st.write()
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			d, err = nil, scan.Malformed(packedEnd, "the list of files: %v", r)
		}
	}()
	v := newVirtual(a.r, packedEnd, head)
	r, err := library.NewReader(v, v.size())
	if err != nil {
		return nil, scan.Malformed(packedEnd, "the list of files: %w", err)
	}
	return &decoder{src: a.r, files: r.File}, nil
}

// virtual is the archive with another header.
type virtual struct {
	first []byte // the header at the start
	src   io.ReaderAt
	end   int64 // where the new header begins
	head  []byte
}

func newVirtual(src io.ReaderAt, end int64, head []byte) *virtual {
	b := append(make([]byte, 0, signatureLen), signature...)
	b = append(b, 0, 4)
	rest := le.AppendUint64(nil, uint64(end-signatureLen))
	rest = le.AppendUint64(rest, uint64(len(head)))
	rest = le.AppendUint32(rest, crc32.ChecksumIEEE(head))
	b = le.AppendUint32(b, crc32.ChecksumIEEE(rest))
	return &virtual{first: append(b, rest...), src: src, end: end, head: head}
}

func (v *virtual) size() int64 { return v.end + int64(len(v.head)) }

// ReadAt implements io.ReaderAt.
func (v *virtual) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		at := off + int64(n)
		var part []byte
		switch {
		case at < signatureLen:
			part = v.first[at:]
		case at < v.end:
			m, err := v.src.ReadAt(p[n:min(int64(len(p)), int64(n)+v.end-at)], at)
			n += m
			if m == 0 && err != nil {
				return n, err
			}
			continue
		case at < v.size():
			part = v.head[at-v.end:]
		default:
			return n, io.EOF
		}
		n += copy(p[n:], part)
	}
	return n, nil
}

// stream is one file decoded, its errors classified.
type stream struct {
	*decode.Stream
	src  *source
	file *library.File
	r    io.ReadCloser
	sum  uint32 // CRC-32 of what was decoded
}

func (d *decoder) open(i int) *stream {
	s := &stream{src: d.src, file: d.files[i]}
	s.Stream = decode.New(func() (_ io.Reader, err error) {
		s.r, err = s.file.Open()
		return s.r, err
	}, s.classify)
	return s
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
	return n, err
}

func (s *stream) classify(err error) error {
	switch {
	case s.src.err != nil:
		return s.src.err
	case err == io.EOF && uint64(s.Decoded()) == s.file.UncompressedSize: //nolint:errorlint // a wrapped EOF is damage
		return io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return scan.Malformed(0, "decode: %w", err)
}

// close lets the next file of the folder go on where this one ended.
func (s *stream) close() {
	if s.r != nil {
		_ = s.r.Close() // only the position is kept; the content was read
	}
}

// write returns a header with one file for each in st.cut.
func (st *streams) write() ([]byte, error) {
	var b bytes.Buffer
	put := func(v ...byte) { b.Write(v) }
	number := func(v uint64) { // always the longest form
		put(0xff)
		b.Write(le.AppendUint64(nil, v))
	}
	put(idHeader, idMainStreams, idPackInfo)
	number(st.packPos)
	number(uint64(len(st.packSizes)))
	put(idSize)
	for _, n := range st.packSizes {
		number(n)
	}
	put(idEnd, idUnpackInfo, idFolder)
	number(uint64(len(st.folders)))
	put(0)
	inputs := 0
	sorted := make([]folder, len(st.folders))
	for i := range st.folders {
		f, ok := st.folders[i].sorted()
		if !ok {
			return nil, scan.Malformed(0, "the coders of a folder run in a circle")
		}
		sorted[i] = f
		if inputs+len(f.packed) > len(st.packSizes) {
			return nil, scan.Malformed(0, "the folders take more packed streams than there are")
		}
		packed := sum(st.packSizes[inputs : inputs+len(f.packed)])
		for j := range f.coders {
			f.coders[j] = f.coders[j].shrunk(f.sizes[j], packed)
		}
		inputs += len(f.packed)
		f.write(put, number)
	}
	put(idUnpackSizes)
	for _, f := range sorted {
		for _, n := range f.sizes {
			number(n)
		}
	}
	put(idEnd, idSubStreams, idNumUnpackStream)
	files := 0
	for _, cut := range st.cut {
		number(uint64(len(cut)))
		files += len(cut)
	}
	put(idSize)
	for _, cut := range st.cut {
		for _, n := range cut[:max(0, len(cut)-1)] {
			number(n)
		}
	}
	put(idEnd, idEnd, idFiles)
	number(uint64(files))
	put(idNames)
	number(uint64(1 + 4*files))
	put(0)
	for range files {
		put('f', 0, 0, 0)
	}
	put(idEnd, idEnd)
	return b.Bytes(), nil
}

func (f *folder) write(put func(...byte), number func(uint64)) {
	number(uint64(len(f.coders)))
	for _, k := range f.coders {
		flags := byte(len(k.id)) | 0x10
		if len(k.props) > 0 {
			flags |= 0x20
		}
		put(flags)
		put([]byte(k.id)...)
		number(k.in)
		number(k.out)
		if len(k.props) > 0 {
			number(uint64(len(k.props)))
			put(k.props...)
		}
	}
	for _, b := range f.binds {
		number(b.in)
		number(b.out)
	}
	if len(f.packed) > 1 {
		for _, in := range f.packed {
			number(in)
		}
	}
}
