package fetch

import (
	"crypto/sha1" //nolint:gosec // git names its blobs by it; sha256 is what is relied on
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// hashBuffer is how much of the spool the hashing reads at a time, in bytes, at
// most.
const hashBuffer = 128 << 10

// hash follows the front through the spool, and settles the object when the
// end has arrived. It reads what readers read, so what is proven is what was
// inspected, in whatever order it came.
func (o *Object) hash() {
	sum := sha256.New()
	var git hash.Hash
	size := o.Size()
	if o.opt.GitSHA1 != "" && size >= 0 {
		git = newGitBlob(size)
	}
	buf := make([]byte, buffer(hashBuffer, size))
	for pos := int64(0); ; {
		o.mu.Lock()
		front, complete, stop := o.present.front(), o.complete, o.err != nil
		o.mu.Unlock()
		switch {
		case stop:
			return
		case pos < front:
			p := buf[:min(int64(len(buf)), front-pos)]
			if err := o.load(p, pos); err != nil {
				o.fail(err)
				return
			}
			sum.Write(p)
			if git != nil {
				git.Write(p)
			}
			pos += int64(len(p))
		case complete:
			o.settled(Digest{Size: pos, SHA256: hex.EncodeToString(sum.Sum(nil))}, git)
			return
		default:
			select {
			case <-o.grown:
			case <-o.ctx.Done():
				return
			}
		}
	}
}

// settled compares the digest of the whole with the promises.
func (o *Object) settled(d Digest, git hash.Hash) {
	if o.opt.GitSHA1 != "" {
		if git == nil {
			// The length stands before the content, and was not known.
			git = newGitBlob(d.Size)
			r := io.NewSectionReader(o.file, 0, d.Size)
			if _, err := io.Copy(git, r); err != nil {
				o.fail(spoolError(o.dir(), err))
				return
			}
		}
		d.GitSHA1 = hex.EncodeToString(git.Sum(nil))
	}
	for _, h := range []struct{ name, want, got string }{
		{"sha256", o.opt.SHA256, d.SHA256},
		{"git blob id", o.opt.GitSHA1, d.GitSHA1},
	} {
		if h.want != "" && h.want != h.got {
			o.fail(fmt.Errorf("%w: %s is %s, promised was %s", ErrMismatch, h.name, h.got, h.want))
			return
		}
	}
	o.mu.Lock()
	if o.err == nil {
		o.digest, o.verified = d, true
		close(o.done)
		o.cancel(nil) // ranges that are still under way have nothing to add
	}
	o.mu.Unlock()
}

func newGitBlob(size int64) hash.Hash {
	h := sha1.New() //nolint:gosec // as above
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}
