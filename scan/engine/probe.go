package engine

import (
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// ends holds the two ends of the file that scanners are being asked about. It
// is used again for the next one: a container may have 100 000 members.
type ends struct {
	head [scan.HeadSize]byte
	tail []byte
}

// claims returns the scanners that claim f, judging by its two ends.
func (in *inspection) claims(f scan.File) ([]scan.Scanner, error) {
	probe, err := in.ends.read(f)
	if err != nil {
		return nil, err
	}
	var claims []scan.Scanner
	for _, s := range in.scanners {
		ok, err := match(s, probe)
		if err != nil {
			in.problem(f.Member, s.Format(), err)
		}
		if ok {
			claims = append(claims, s)
		}
	}
	return claims, nil
}

// match asks one scanner; a panic is an error of the file.
func match(s scan.Scanner, p scan.Probe) (ok bool, err error) {
	defer contain(&err)
	return s.Match(p), nil
}

// read fills the ends. The Probe is valid until the next call.
func (e *ends) read(f scan.File) (scan.Probe, error) {
	p := scan.Probe{Name: f.Name, Size: f.Size, Head: e.head[:min(f.Size, scan.HeadSize)]}
	if err := readFull(f, p.Head, 0); err != nil {
		return p, err
	}
	if f.Size <= scan.HeadSize {
		p.Tail = p.Head
		return p, nil
	}
	if e.tail == nil {
		e.tail = make([]byte, scan.TailSize)
	}
	p.Tail = e.tail[:min(f.Size, scan.TailSize)]
	return p, readFull(f, p.Tail, f.Size-int64(len(p.Tail)))
}

func readFull(f scan.File, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
}
