package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"modelwall/proxy/store"
)

// errDamaged: stored content is no longer what was inspected.
var errDamaged = errors.New("stored content has changed")

// proven reads stored content for a client. Read from front to back it keeps
// its last piece back until the hash of the whole is right, so that a bit which
// the disk has lost is a broken connection and not a broken model. A range can
// not be checked without reading all the rest, and is not.
type proven struct {
	*store.Blob
	hash   hash.Hash
	off    int64 // of the next Read
	hashed int64 // how much of the front was hashed
	whole  bool  // all of it was, and is right
}

func newProven(b *store.Blob) *proven { return &proven{Blob: b, hash: sha256.New()} }

// Seek implements io.Seeker.
func (p *proven) Seek(offset int64, whence int) (n int64, err error) {
	p.off, err = p.Blob.Seek(offset, whence)
	return p.off, err
}

// Read implements io.Reader.
func (p *proven) Read(b []byte) (int, error) {
	following := p.off == p.hashed
	if free := p.Size() - lastPiece - p.off; following && free > 0 {
		b = b[:min(int64(len(b)), free)]
	} else if following {
		if err := p.check(); err != nil {
			return 0, err
		}
	}
	n, err := p.Blob.Read(b)
	if p.off == p.hashed {
		p.hash.Write(b[:n])
		p.hashed += int64(n)
	}
	p.off += int64(n)
	return n, err
}

// check hashes the rest and compares.
func (p *proven) check() error {
	n, err := io.Copy(p.hash, io.NewSectionReader(p.Blob, p.off, p.Size()-p.off))
	p.hashed += n
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(p.hash.Sum(nil)); got != p.SHA256() {
		return fmt.Errorf("%w: %s is %s now", errDamaged, p.SHA256(), got)
	}
	p.whole = true
	return nil
}
