package zip

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"modelwall/scan"
)

// member is one reading of a member's bytes.
type member struct {
	name    string
	at      int64 // offset of the local header, for findings
	data    int64 // offset of the bytes
	packed  int64
	size    int64
	method  uint16
	flags   uint16
	crc     uint32
	symlink bool
}

// given tells readings apart.
type given struct {
	name         string
	data, packed int64
	method       uint16
}

// How much stored data is read for nothing but a checksum, in bytes: for one
// member, about what a scanner reads of it anyway, and for the archive.
const (
	maxCRCMember = 64 << 10
	maxCRCTotal  = 1 << 20
)

// maxClaim is how many times the size of the file its members may take
// together before they count as a bomb: twice is a file whose two lists
// disagree about everything.
const maxClaim = 8

// blockBzip2 is the block, in bytes, that bzip2's decoder clears space for,
// however short the member is.
const blockBzip2 = 900_000

// deliver gives one member to the engine, once.
func (w *walk) deliver(ctx context.Context, m member) error {
	key := given{m.name, m.data, m.packed, m.method}
	if w.given[key] || m.packed == 0 && isFolder(m.name, m.size) {
		return nil
	}
	w.given[key] = true
	if left := max(0, w.size-m.data); m.packed > left {
		w.malformed(m.at, "zip.broken", fmt.Sprintf("%s is cut off: %d of %d bytes are there", quote(m.name), left, m.packed))
		m.packed = left
	}
	if err := w.claim(m.packed, m.at); err != nil {
		return err
	}
	if m.symlink {
		if err := w.judgeLink(ctx, m); err != nil {
			return err
		}
	}
	if m.method == methodStore {
		return w.stored(ctx, m)
	}
	return w.compressed(ctx, m)
}

// claim counts n bytes that a member takes up.
func (w *walk) claim(n, at int64) error {
	if w.claimed += n; w.claimed/maxClaim <= w.size+64<<10 {
		return nil
	}
	w.finding("zip.overlap", scan.SeveritySuspicious, "bomb", at, fmt.Sprintf("the members claim more than %d times the file's bytes", maxClaim))
	return scan.Limit(at, "members overlap: together they take more than %d times the size of the file", maxClaim)
}

// stored hands over bytes as they lie in the archive.
func (w *walk) stored(ctx context.Context, m member) error {
	body := w.r.f.Section(m.data, m.packed)
	encrypted := m.flags&flagEncrypted != 0
	if encrypted || m.packed <= min(maxCRCMember, w.crcLeft) {
		if !encrypted {
			w.crcLeft -= m.packed
		}
		sum, err := w.checksum(ctx, m)
		if err != nil {
			return err
		}
		switch {
		case sum == m.crc && m.packed == m.size:
		case encrypted:
			w.encrypted(m)
		case sum != m.crc:
			w.badCRC(m)
		}
	}
	return w.sink.Member(ctx, scan.Member{Name: m.name, At: body, Size: m.packed})
}

// checksum reads a stored member.
func (w *walk) checksum(ctx context.Context, m member) (uint32, error) {
	sum := uint32(0)
	buf := make([]byte, min(32<<10, m.packed))
	for off, end := m.data, m.data+m.packed; off < end; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		b := buf[:min(int64(len(buf)), end-off)]
		if n, err := w.r.f.ReadAt(b, off); n < len(b) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		sum = crc32.Update(sum, crc32.IEEETable, b)
		off += int64(len(b))
	}
	return sum, nil
}

// compressed hands over what a member decodes to, and judges how it did.
func (w *walk) compressed(ctx context.Context, m member) error {
	if !known(m.method) {
		if m.method == methodAES || m.flags&flagEncrypted != 0 {
			w.encrypted(m)
			return nil
		}
		w.finding("zip.method", scan.Low, "archive-confusion", m.at, fmt.Sprintf("%s has method %d, which can not be decoded here", quote(m.name), m.method))
		w.unexamined(m.at, fmt.Sprintf("%s: no decoder for method %d", quote(m.name), m.method))
		return nil
	}
	var reserves int64
	if m.method == methodBzip2 {
		reserves = blockBzip2
	}
	st := w.stream(m)
	defer st.close()
	if err := w.sink.Member(ctx, scan.Member{Name: m.name, Stream: st, Packed: m.packed, Reserves: reserves}); err != nil {
		return err
	}
	switch {
	case st.Err() == nil: // a budget ended it; the engine knows
		return nil
	case st.transport() != nil:
		return st.transport()
	case !errors.Is(st.Err(), io.EOF):
		if m.flags&flagEncrypted != 0 {
			w.encrypted(m)
			return nil
		}
		w.finding("zip.data", scan.SeveritySuspicious, "broken-file", m.at,
			fmt.Sprintf("%s is damaged after %d decoded bytes; a loader has used those by then", quote(m.name), st.Decoded()))
		if w.problem == nil {
			w.problem = fmt.Errorf("%s: %w", quote(m.name), st.Err())
		}
		return nil
	}
	if m.flags&flagEncrypted != 0 && (st.Decoded() != m.size || st.sum != m.crc) {
		w.encrypted(m)
		return nil
	}
	if st.Decoded() != m.size {
		w.confusion("zip.size", m.at, fmt.Sprintf("%s decodes to %d bytes, its header says %d", quote(m.name), st.Decoded(), m.size))
	} else if st.sum != m.crc {
		w.badCRC(m)
	}
	if taken := st.taken(); m.method == methodDeflate && taken < m.packed {
		w.confusion("zip.slack", m.data+taken, fmt.Sprintf("%d bytes follow the data inside of %s", m.packed-taken, quote(m.name)))
		return w.slack(m, m.data+taken)
	}
	return nil
}

// slack remembers the end of the data inside a member's bytes as a place
// where a streaming reader goes on.
func (w *walk) slack(m member, off int64) error {
	n, err := w.descriptorLen(off, m.crc)
	if err != nil {
		return err
	}
	w.resume = append(w.resume, off+n)
	return nil
}

func (w *walk) badCRC(m member) {
	w.confusion("zip.crc", m.at, quote(m.name)+" has a wrong checksum: some readers refuse it, others do not look")
}

func (w *walk) encrypted(m member) {
	w.finding("zip.encrypted", scan.SeveritySuspicious, "evasion", m.at, quote(m.name)+" is encrypted and can not be examined")
	w.unexamined(m.at, quote(m.name)+" is encrypted")
}
