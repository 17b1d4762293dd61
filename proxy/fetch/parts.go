package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// journalSuffix follows the name of a spool file in the name of its journal.
const journalSuffix = ".journal"

const (
	// minPart is from which size on an object leaves something behind, in
	// bytes; less arrives again before anybody has looked.
	minPart = 8 << 20
	// maxJournal and maxRuns bound what is believed of a journal.
	maxJournal = 1 << 20
	maxRuns    = 4096
)

// Parts keeps what had arrived of objects that were not finished, so that the
// next fetch of the same content goes on there, in this process or in a later
// one: the server was stopped or killed, the network was down, the client left.
//
// A part is a spool file with a journal beside it, which says of which sha256
// it is and which runs of bytes it holds. While an object is being fetched its
// journal is some seconds old: a process that is killed loses what came after.
// Nothing vouches for the bytes, and after a power cut some may be gone. That
// is no new danger: they are inspected and hashed as they are, like those that
// an upstream sends, and a content that turns out wrong leaves no part.
//
// A folder belongs to one Parts. Methods are safe for concurrent use.
type Parts struct {
	dir string

	mu    sync.Mutex
	parts map[string]leftover // by sha256
}

// leftover is one part.
type leftover struct {
	path string // of the spool file
	size int64  // of the whole
	held spans
	last time.Time // when it was left
}

// bytes is what a part takes of the disk.
func (p leftover) bytes() (n int64) {
	for _, s := range p.held {
		n += s.end - s.off
	}
	return n
}

// journal is a part's description in a file.
type journal struct {
	SHA256 string     `json:"sha256"`
	Size   int64      `json:"size"`
	Held   [][2]int64 `json:"held"` // runs [first byte, byte behind the last)
}

// OpenParts finds the parts that earlier processes left in dir, and removes
// the spool files that nobody can go on with. The error is of class ErrSpool.
func OpenParts(dir string) (*Parts, error) {
	ps := &Parts{dir: dir, parts: map[string]leftover{}}
	names, err := filepath.Glob(filepath.Join(dir, SpoolPattern))
	if err != nil {
		return nil, spoolError(dir, err)
	}
	for _, path := range names {
		sha256, p, err := readPart(path)
		if err == nil {
			ps.put(sha256, p)
		} else if err := removePart(path); err != nil {
			return nil, spoolError(dir, err)
		}
	}
	return ps, nil
}

func readPart(path string) (sha256 string, p leftover, err error) {
	f, err := os.Open(path + journalSuffix)
	if err != nil {
		return "", leftover{}, err
	}
	defer func() { _ = f.Close() }() // only read
	var j journal
	if err := json.NewDecoder(io.LimitReader(f, maxJournal)).Decode(&j); err != nil {
		return "", leftover{}, err
	}
	told, err := f.Stat()
	if err != nil {
		return "", leftover{}, err
	}
	file, err := os.Lstat(path)
	if err != nil {
		return "", leftover{}, err
	}
	p = leftover{path: path, size: j.Size, last: told.ModTime()}
	for _, r := range j.Held {
		if r[0] < 0 || r[0] >= r[1] || r[1] > j.Size || r[1] > file.Size() {
			return "", leftover{}, fmt.Errorf("bytes %d-%d of %d", r[0], r[1], file.Size())
		}
		p.held.add(span{r[0], r[1]})
	}
	if !isHash(j.SHA256, 64) || !file.Mode().IsRegular() || len(p.held) > maxRuns {
		return "", leftover{}, errors.New("no journal of a part")
	}
	return j.SHA256, p, nil
}

func removePart(path string) error { return errors.Join(removeJournal(path), os.Remove(path)) }

func removeJournal(path string) error {
	if err := os.Remove(path + journalSuffix); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Trim removes the parts that were left before then, and the oldest of the
// others as long as there are more than maxBytes, 0 for no bound. It returns
// what it freed, in bytes, also beside an error.
func (ps *Parts) Trim(then time.Time, maxBytes int64) (freed int64, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var total int64
	names := make([]string, 0, len(ps.parts))
	for sha256, p := range ps.parts {
		names, total = append(names, sha256), total+p.bytes()
	}
	slices.SortFunc(names, func(a, b string) int { return ps.parts[a].last.Compare(ps.parts[b].last) })
	for _, sha256 := range names {
		p := ps.parts[sha256]
		if p.last.After(then) && (maxBytes <= 0 || total-freed <= maxBytes) {
			break
		}
		delete(ps.parts, sha256)
		if rerr := removePart(p.path); rerr != nil {
			err = errors.Join(err, spoolError(ps.dir, rerr))
			continue
		}
		freed += p.bytes()
	}
	return freed, err
}

// take hands out the part of a content, if there is one.
func (ps *Parts) take(o *Options) (file, spans) {
	if ps == nil || o.SHA256 == "" || o.Size < minPart {
		return nil, nil
	}
	ps.mu.Lock()
	p, ok := ps.parts[o.SHA256]
	delete(ps.parts, o.SHA256)
	ps.mu.Unlock()
	if !ok {
		return nil, nil
	}
	if p.size == o.Size {
		if f, err := openSpool(p.path); err == nil {
			return f, p.held
		}
	}
	_ = removePart(p.path) // of no use; the next start tries again
	return nil, nil
}

// put takes a part in, in the place of another of the same content that has
// less.
func (ps *Parts) put(sha256 string, p leftover) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	loser, ok := ps.parts[sha256]
	if ok && loser.bytes() > p.bytes() {
		p, loser = loser, p
	}
	ps.parts[sha256] = p
	if ok {
		_ = removePart(loser.path) // of no use; the next start tries again
	}
}

// A journal is written when journalStep bytes more have arrived, or at least
// one in journalEvery; that is looked after each journalTick.
const (
	journalTick  = 250 * time.Millisecond
	journalStep  = 16 << 20
	journalEvery = 8 // ticks
)

// keepJournal writes down what has arrived, every now and then, until the
// object is whole or fails.
func (o *Object) keepJournal() {
	tick := time.NewTicker(journalTick)
	defer tick.Stop()
	var written int64
	for age := 1; ; age++ {
		select {
		case <-tick.C:
		case <-o.ctx.Done():
			return
		}
		p := o.left()
		n := p.bytes()
		if n-written < journalStep && (n == written || age < journalEvery) {
			continue
		}
		if o.writeJournal(p) != nil {
			return // a full disk; what is written is true
		}
		written, age = n, 0
	}
}

// resumable reports whether the object may leave a part.
func (o *Object) resumable() bool {
	return o.opt.Parts != nil && o.opt.SHA256 != "" && o.opt.Size >= minPart
}

// left is what there is of the object now.
func (o *Object) left() leftover {
	o.mu.Lock()
	defer o.mu.Unlock()
	return leftover{path: o.Path(), size: o.size, held: slices.Clone(o.present), last: time.Now()}
}

// writeJournal replaces the journal at once, whole.
func (o *Object) writeJournal(p leftover) error {
	j := journal{SHA256: o.opt.SHA256, Size: p.size}
	for _, s := range p.held[:min(len(p.held), maxRuns)] {
		j.Held = append(j.Held, [2]int64{s.off, s.end})
	}
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	path := p.path + journalSuffix
	fresh := strings.TrimSuffix(p.path, filepath.Ext(p.path)) + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// leave ends the spool file of an object that was not detached: it becomes a
// part if that is of use, and is removed otherwise. The file is closed.
func (o *Object) leave() error {
	p := o.left()
	o.mu.Lock()
	err, verified := o.err, o.verified
	o.mu.Unlock()
	keep := o.resumable() && !verified && len(p.held) > 0
	for _, class := range []error{ErrMismatch, ErrChanged, ErrProtocol, ErrSpool, errPanic} {
		keep = keep && !errors.Is(err, class)
	}
	if keep && o.writeJournal(p) == nil {
		o.opt.Parts.put(o.opt.SHA256, p)
		return nil
	}
	return removePart(p.path)
}
