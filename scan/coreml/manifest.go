package coreml

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// manifest inspects Manifest.json of an .mlpackage, a folder: it lists the
// items of the package by paths below Data/. The loader joins them without a
// look, so that an absolute path or one with ".." reaches other files.
type manifest struct{}

// manifestKey is the member of the JSON object that every manifest has.
const manifestKey = `"itemInfoEntries"`

// maxManifest is the largest manifest that is read, in bytes; real ones have
// less than 2 KB.
const maxManifest = 4 << 20

// Format implements scan.Scanner.
func (manifest) Format() string { return "mlpackage" }

// Version implements scan.Scanner.
func (manifest) Version() int { return 1 }

// Match implements scan.Scanner.
func (manifest) Match(p scan.Probe) bool {
	head := bytes.TrimLeft(bytes.TrimPrefix(p.Head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(head) > 0 && head[0] == '{' && (bytes.Contains(p.Head, []byte(manifestKey)) || bytes.Contains(p.Tail, []byte(manifestKey)))
}

// Scan implements scan.Scanner.
func (manifest) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	if f.Size > maxManifest {
		return scan.Limit(0, "a manifest of %d bytes", f.Size)
	}
	dec := json.NewDecoder(&source{r: f.Section(0, f.Size)})
	key := false
	for ctx.Err() == nil {
		off := dec.InputOffset()
		token, err := dec.Token()
		var syntax *json.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
			return &scan.Error{Class: scan.ErrForeign, Offset: off, Reason: errors.New("not JSON")}
		case err != nil:
			return err
		}
		s, isString := token.(string)
		if key && isString {
			judgeItem(s, off, sink)
		}
		// A string that reads "path" is followed by its value if it is a key;
		// as a value it is followed by another key, which is no path.
		key = isString && !key && s == "path"
	}
	return ctx.Err()
}

// source is a section whose end before its time is an error of the reader's
// own, not the end of the JSON text.
type source struct{ r *io.SectionReader }

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if at, _ := s.r.Seek(0, io.SeekCurrent); errors.Is(err, io.EOF) && n == 0 && at < s.r.Size() {
		return 0, fmt.Errorf("read at %d of %d bytes: file is shorter than its size says", at, s.r.Size())
	}
	return n, err
}

func judgeItem(path string, off int64, sink scan.Sink) {
	switch clue.WhichPath(path) {
	case clue.Absolute, clue.Escapes, clue.Broken:
		sink.Finding(scan.Finding{
			Rule: "coreml.manifest_path", Severity: scan.SeverityMalicious, Technique: "path-traversal", Offset: off,
			Message: "an item of the package lies at " + scan.Quote(path, 120) + ", outside of it",
		})
	case clue.Remote:
		sink.Finding(scan.Finding{
			Rule: "coreml.manifest_path", Severity: scan.SeveritySuspicious, Technique: "network", Offset: off,
			Message: "an item of the package is at the URL " + scan.Quote(path, 120),
		})
	}
}
