package hubtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
)

// Content is the content of a file. ReadAt may be called from several
// goroutines. The hub reads it once when the file is added, for its hash,
// unless the content also has a method SHA256() [32]byte.
type Content interface {
	io.ReaderAt
	Size() int64
}

// Bytes is content that lies in memory.
type Bytes []byte

// ReadAt implements io.ReaderAt.
func (b Bytes) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegativeOffset
	}
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Size is the length in bytes.
func (b Bytes) Size() int64 { return int64(len(b)) }

const syntheticBlock = 1 << 20

// synthetic repeats one random block; the first eight bytes of each block are
// its number, so that no two blocks are alike.
type synthetic struct {
	block []byte
	size  int64
}

// Synthetic is pseudo-random content of any size that takes 1 MiB of memory
// and is always the same for the same seed.
func Synthetic(seed uint64, size int64) Content {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	s := synthetic{block: make([]byte, syntheticBlock), size: size}
	_, _ = rand.NewChaCha8(key).Read(s.block) // never fails
	return s
}

func (s synthetic) Size() int64 { return s.size }

func (s synthetic) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegativeOffset
	}
	done := 0
	for done < len(p) && off < s.size {
		block, at := off/syntheticBlock, off%syntheticBlock
		n := copy(p[done:], s.block[at:min(syntheticBlock, at+s.size-off)])
		if at < 8 {
			var number [8]byte
			binary.LittleEndian.PutUint64(number[:], uint64(block))
			copy(p[done:done+n], number[at:])
		}
		done += n
		off += int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// joined is content after content.
type joined struct {
	parts []Content
	ends  []int64
}

// Join is the given contents one after the other, for example a header in
// memory and gigabytes of Synthetic tensors.
func Join(parts ...Content) Content {
	j := joined{parts: parts}
	var end int64
	for _, p := range parts {
		end += p.Size()
		j.ends = append(j.ends, end)
	}
	return j
}

func (j joined) Size() int64 {
	if len(j.ends) == 0 {
		return 0
	}
	return j.ends[len(j.ends)-1]
}

func (j joined) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegativeOffset
	}
	done := 0
	for done < len(p) {
		i := sort.Search(len(j.ends), func(i int) bool { return j.ends[i] > off })
		if i == len(j.ends) {
			return done, io.EOF
		}
		start := j.ends[i] - j.parts[i].Size()
		want := min(int64(len(p)-done), j.ends[i]-off)
		n, err := j.parts[i].ReadAt(p[done:done+int(want)], off-start)
		done += n
		off += int64(n)
		if int64(n) < want {
			return done, err
		}
	}
	return done, nil
}

// known is content whose hash need not be computed.
type known struct {
	Content
	sum [sha256.Size]byte
}

// Known is c with its sha256, which spares the hub from reading c when it is
// added. A wrong sum makes a hub that announces one hash and serves another.
func Known(c Content, sum [sha256.Size]byte) Content { return known{c, sum} }

func (k known) SHA256() [sha256.Size]byte { return k.sum }

// sum256 is the sha256 of c in hexadecimal.
func sum256(c Content) (string, error) {
	if d, ok := c.(interface{ SHA256() [sha256.Size]byte }); ok {
		sum := d.SHA256()
		return hex.EncodeToString(sum[:]), nil
	}
	hash := sha256.New()
	if err := copyContent(hash, c); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func copyContent(w io.Writer, c Content) error {
	if b, ok := c.(Bytes); ok {
		_, err := io.Copy(w, bytes.NewReader(b))
		return err
	}
	n, err := io.Copy(w, io.NewSectionReader(c, 0, c.Size()))
	if err == nil && n != c.Size() {
		err = fmt.Errorf("content of %d bytes ended after %d: %w", c.Size(), n, io.ErrUnexpectedEOF)
	}
	return err
}
