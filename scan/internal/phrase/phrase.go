// Package phrase looks for command lines in the printable text of binary
// files, as the Unix tool strings would show it. No loader runs such text by
// itself; it is there for the code beside it or for whoever evaluates the
// strings of a model, and models have no other use for it.
//
// What counts is a whole phrase, a program with what it is to do: words such as
// "system", "exec" or a lone URL stand in every other file.
package phrase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// How text is cut, in bytes: shorter runs of printable characters are chance,
// longer ones are looked at in pieces that overlap.
const (
	minRun  = 10
	maxRun  = 4 << 10
	overlap = 512
	chunk   = 64 << 10
)

// maxMatched is how much text of one file the patterns are tried on, in bytes.
// Text without any of their words costs nothing of it. Whoever fills a file
// with those words hides nothing that a loader would run.
const maxMatched = 512 << 10

// Finder recognises commands. It is safe for concurrent use.
type Finder struct {
	clues *clue.Reader
	more  *regexp.Regexp
	net   *regexp.Regexp
}

// NewFinder returns a Finder.
func NewFinder() *Finder {
	return &Finder{
		clues: clue.NewReader(),
		more: regexp.MustCompile(`(?i)` + strings.Join([]string{
			`\bos\s*\.\s*execute\s*\(\s*['"\[]`, // Lua
			`\bio\s*\.\s*popen\s*\(\s*['"\[]`,
			`\b(base\s*:::?\s*)?system2?\s*\(\s*(command\s*=\s*)?['"]`, // R, PHP, Perl
			`\bshell\.exec\s*\(\s*['"]`,
			`\beval\s*\(\s*parse\s*\(\s*text\s*=\s*['"][^'"]{0,200}\b(system|shell|download|source|url)\w*\s*\(`,
			`\b(ba|z|da|k)?sh\s+-i?c\s+\W*(curl|wget|nc|ncat|python[0-9.]*|perl|base64|echo)\b`,
			`\bloadlibrary\w*\W{1,4}([a-z]:\\|\\\\|/)`,
			`\brm\s+-(rf|fr)\s+(--\S+\s+)*[/~]`,
			`\bbase64\s+(-d|--decode)\s*\|\s*(ba|z|da|k)?sh\b`,
			`\bjava\.lang\.(runtime|processbuilder)\b`,
		}, "|")),
		net: regexp.MustCompile(`(?i)\b(curl|wget|iwr|invoke-webrequest|ncat|nc)\s|/dev/(tcp|udp)/|(https?|ftp)://|downloadstring`),
	}
}

// Match returns the part of text that is a command line or starts a program,
// "" for none.
func (f *Finder) Match(text string) string {
	if !Worth(text) {
		return ""
	}
	if m := f.more.FindString(text); m != "" {
		return m
	}
	return f.clues.Command(text)
}

// Networked reports whether text also names something to fetch or to connect
// to.
func (f *Finder) Networked(text string) bool { return f.net.MatchString(text) }

// Worth sorts out at little cost what can not match: what has none of the
// words, and is not base64 from end to end either.
func Worth(text string) bool {
	if len(text) >= 24 && !strings.ContainsAny(text, " _-.<>{}:;,()[]'\"") {
		return true
	}
	if !strings.ContainsAny(text, "(|/ _.") {
		return false
	}
	low := strings.ToLower(text)
	for _, part := range [...]string{ // one of these is in whatever the patterns match
		"curl", "wget", "iwr", "invoke-", "powershell", "cmd", "sh -", "/dev/", "nc ", "ncat", "python", "__", "os.", "os .",
		"subprocess", "spawn", "exec", "eval", "base64", "marshal", "pickle", "ctypes", "popen", "system", "loadlib", "rm -",
		"runtime", "processb",
	} {
		if strings.Contains(low, part) {
			return true
		}
	}
	return false
}

// Hit is a command with its place.
type Hit struct {
	Off  int64  // of the printable run, in the file
	Text string // the command
	Run  string // what it stands in, at most 4 KiB
}

// Search calls do with each run of printable text in [from, to) of file that
// has a command in it, until do answers false. The error is the reader's own
// or the context's.
func (f *Finder) Search(ctx context.Context, file scan.File, from, to int64, do func(Hit) bool) error {
	to = min(to, file.Size)
	buf := make([]byte, max(0, min(chunk, to-from)))
	run := make([]byte, 0, maxRun)
	begin := from
	left := maxMatched
	try := func() bool {
		if len(run) < minRun {
			return true
		}
		text := string(run)
		if !Worth(text) {
			return true
		}
		if left -= len(text); left < 0 {
			return false
		}
		if m := f.Match(text); m != "" {
			return do(Hit{begin, m, text})
		}
		return true
	}
	for from < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), to-from)]
		if err := Read(file, b, from); err != nil {
			return err
		}
		for i := 0; i < len(b); {
			n := printable(b[i:])
			take := min(n, maxRun-len(run))
			if len(run) == 0 {
				begin = from + int64(i)
			}
			run = append(run, b[i:i+take]...)
			i += take
			switch {
			case len(run) == maxRun: // goes on: keep the end for what lies across
				if !try() {
					return nil
				}
				begin += maxRun - overlap
				run = append(run[:0], run[maxRun-overlap:]...)
			case i < len(b): // a byte that is not printable
				if !try() {
					return nil
				}
				run = run[:0]
				i++
			}
		}
		from += int64(len(b))
	}
	try()
	return nil
}

// printable returns how many bytes b begins with that are printable: ASCII
// without control characters but the tab.
func printable(b []byte) int {
	n := bytes.IndexFunc(b, func(r rune) bool { return (r < ' ' && r != '\t') || r > '~' })
	if n < 0 {
		return len(b)
	}
	return n
}

// Read fills b from off. An end that comes too early is an error.
func Read(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
}
