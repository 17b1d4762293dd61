package gitpack

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sort"
	"strconv"

	"modelwall/scan"
)

// pktHeader is the length of a pkt-line's own length field: four hex digits
// that count themselves. 0000, 0001 and 0002 carry no payload.
const pktHeader = 4

// pktLength reads the length at the start of b.
func pktLength(b []byte) (int, bool) {
	if len(b) < pktHeader {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:pktHeader]), 16, 16)
	if err != nil || n == 3 {
		return 0, false
	}
	return int(n), true
}

// view is a pack as a random-access file, wherever its pieces lie.
type view struct {
	f        scan.File
	segments []segment
	size     int64
}

type segment struct{ at, from, n int64 } // at in the pack, from in the file

func (v *view) add(from, n int64) {
	if n == 0 {
		return
	}
	v.segments = append(v.segments, segment{v.size, from, n})
	v.size += n
}

// ReadAt implements io.ReaderAt.
func (v *view) ReadAt(p []byte, off int64) (int, error) {
	i := sort.Search(len(v.segments), func(i int) bool { return v.segments[i].at+v.segments[i].n > off })
	done := 0
	for ; done < len(p) && i < len(v.segments); i++ {
		s := v.segments[i]
		skip := off + int64(done) - s.at
		want := min(int64(len(p)-done), s.n-skip)
		n, err := v.f.ReadAt(p[done:done+int(want)], s.from+skip)
		done += n
		if int64(n) < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return done, err
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// position is where the pack's byte off lies in the file.
func (v *view) position(off int64) int64 {
	i := sort.Search(len(v.segments), func(i int) bool { return v.segments[i].at+v.segments[i].n > off })
	if i == len(v.segments) {
		return v.f.Size
	}
	return v.segments[i].from + off - v.segments[i].at
}

// side-band channels (gitprotocol-pack(5), "Packfile Data").
const (
	bandPack     = 1
	bandProgress = 2
	bandError    = 3
)

// demux finds the pack in f.
func demux(ctx context.Context, f scan.File) (*view, error) {
	v := &view{f: f}
	at := int64(0)
	r := bufio.NewReaderSize(f.Section(0, f.Size), 64<<10)
	for at < f.Size {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(v.segments) >= maxSegments {
			return nil, scan.Limit(at, "the pack comes in more than %d pieces", maxSegments)
		}
		head, err := r.Peek(pktHeader + 1)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if string(head[:min(pktHeader, len(head))]) == "PACK" { // without side-band: to the end
			v.add(at, f.Size-at)
			return v, nil
		}
		n, ok := pktLength(head)
		if !ok {
			return nil, scan.Malformed(at, "not a pkt-line")
		}
		if n < pktHeader {
			n = pktHeader
		} else if int64(n) > f.Size-at {
			return nil, scan.Malformed(at, "a pkt-line of %d bytes with %d left", n, f.Size-at)
		}
		if n > pktHeader && head[pktHeader] == bandPack {
			v.add(at+pktHeader+1, int64(n)-pktHeader-1)
		}
		if _, err := r.Discard(n); err != nil {
			return nil, err
		}
		at += int64(n)
	}
	return v, nil
}
