package python

import (
	"bytes"
	"context"
	"errors"
	"io"

	"modelwall/scan"
	"modelwall/scan/python/syntax"
)

// look reads a text to see whether it is Python, and no further.
type look struct {
	ctx    context.Context //nolint:containedctx // one call of read is this value's whole life
	file   scan.File       // for a look at the rest of a long table
	parser *syntax.Parser
	stats  syntax.Stats
	errs   syntax.Errors
	seen   int64 // bytes of the source read so far
	done   bool  // all of it was parsed
	table  bool  // nothing but values, for megabytes, and nothing else in sight
	failed error
}

// longTable is how many bytes of nothing but values are read as Python before
// the rest is only searched for words that could do something.
const longTable = 8 << 20

// read reads r until the answer is clear. The error is the reader's own or the
// context's.
func (l *look) read(r io.Reader) error {
	l.parser = syntax.NewParser(counting{r, l}, l)
	err := l.parser.Run()
	l.done = true
	l.stats, l.errs = l.parser.Stats, l.parser.Errors()
	if err == nil {
		err = l.failed
	}
	if err == nil && l.ctx != nil {
		err = l.ctx.Err()
	}
	return err
}

type counting struct {
	io.Reader
	l *look
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.l.seen += int64(n)
	return n, err
}

// Simple implements syntax.Handler.
func (l *look) Simple(*syntax.Stmt) {}

// Enter implements syntax.Handler.
func (l *look) Enter(*syntax.Stmt) {}

// Leave implements syntax.Handler.
func (l *look) Leave() {}

// Shed implements syntax.Handler.
func (l *look) Shed(*syntax.Node) {}

// More implements syntax.Handler: the look ends when it is clear that the text
// is not Python.
func (l *look) More() bool {
	if l.ctx == nil { // the head alone
		return true
	}
	if l.ctx.Err() != nil {
		return false
	}
	l.stats, l.errs = l.parser.Stats, l.parser.Errors()
	if l.stats.Effects == 0 && l.seen > longTable && !l.table {
		words, err := l.words()
		if err != nil {
			l.failed = err
			return false
		}
		l.table = !words
	}
	return !l.foreign()
}

// foreign reports that no Python would run the text, judging by what was read
// of it so far.
func (l *look) foreign() bool {
	bad, good := l.stats.Bad, l.stats.Good
	switch {
	case l.stats.Dead, l.stats.Fence, l.stats.Lost, l.table:
		return true
	case l.ctx == nil:
		// A head may end in the middle of anything, which is one bad line.
		return bad*4 > good+4
	case l.errs.Count > 0:
		return bad*4 > good+8 || l.done && bad*3 > good
	}
	return l.done && l.stats.Effects == 0
}

func (l *look) why() string {
	switch {
	case l.stats.Dead:
		return "a name of JSON before anything else"
	case l.stats.Fence:
		return "Markdown"
	case l.table || l.errs.Count == 0:
		return "values only"
	case l.stats.Lost:
		return "a line that does not end"
	}
	return l.errs.What
}

// words searches the whole file for what a program needs to do anything at
// all. Without them the values may go on for ever.
func (l *look) words() (bool, error) {
	needles := [][]byte{
		[]byte("import"), []byte("exec"), []byte("eval"), []byte("__"), []byte("getattr"), []byte("globals"), []byte("vars"),
		[]byte("open"), []byte("compile"), []byte("locals"), []byte("@"), []byte("=("), []byte("class"), []byte("def"),
	}
	const overlap = 16
	buf := make([]byte, 256<<10)
	for at := int64(0); at < l.file.Size; at += int64(len(buf)) - overlap {
		if err := l.ctx.Err(); err != nil {
			return true, err
		}
		b := buf[:min(int64(len(buf)), l.file.Size-at)]
		if n, err := l.file.ReadAt(b, at); n < len(b) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return true, err
		}
		for _, w := range needles {
			if bytes.Contains(b, w) {
				return true, nil
			}
		}
		for _, c := range b {
			if c >= 0x80 { // letters that stand for others
				return true, nil
			}
		}
	}
	return false, nil
}
