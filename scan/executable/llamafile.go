package executable

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/phrase"
)

// Bounds of what is read of a program, in bytes and records. A llamafile's
// runtime is 5 to 70 MB; the model behind it is not read.
const (
	maxRuntime   = 96 << 20
	maxDirectory = 1 << 20
	maxArgs      = 16 << 10
	maxCommands  = 8
)

// traits are what makes a llamafile, and what is odd in one.
type traits struct {
	marker   bool  // the runtime's text says what it is
	members  bool  // a model is stored in the zip archive behind the program
	model    int64 // where a bare GGUF model follows the program, 0 for nowhere
	commands []phrase.Hit
	args     []string // arguments that name sensitive files
	argsAt   int64
}

var le = binary.LittleEndian

// runtime reads the program up to the first member of a zip archive behind it.
func (x *Scanner) runtime(ctx context.Context, f scan.File) (traits, error) {
	var t traits
	end, err := t.archive(f)
	if err != nil {
		return t, err
	}
	end = min(end, f.Size, maxRuntime)
	buf := make([]byte, min(end, 64<<10))
	const keep = 16 // bytes that a word may begin in the piece before
	for off := int64(0); off < end && (!t.marker || t.model == 0); {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		b := buf[:min(int64(len(buf)), end-off)]
		if err := phrase.Read(f, b, off); err != nil {
			return t, err
		}
		t.marker = t.marker || bytes.Contains(b, []byte("llamafile")) || bytes.Contains(b, []byte("whisperfile"))
		if i := bytes.Index(b, []byte("GGUF")); i >= 0 && t.model == 0 && off+int64(i) > 0 && isModel(b[i:]) {
			t.model = off + int64(i)
		}
		if off += int64(len(b)); off < end {
			off -= min(keep, int64(len(b))-1)
		}
	}
	if t.members {
		t.model = 0 // the zip's members are looked at as such
	}
	err = x.phrases.Search(ctx, f, 0, end, func(h phrase.Hit) bool {
		if x.phrases.Networked(h.Run) {
			t.commands = append(t.commands, h)
		}
		return len(t.commands) < maxCommands
	})
	return t, err
}

// isModel reports whether b begins a GGUF or GGML model.
func isModel(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	switch string(b[:4]) {
	case "GGUF":
		v := le.Uint32(b[4:])
		return v >= 1 && v <= 3
	case "lmgg", "fmgg", "tjgg", "algg":
		return true
	}
	return false
}

// archive looks through the directory of a zip archive at the end of the
// program and returns where its first member begins, the size of the file
// without an archive. It wants to know whether a model is in it; what else is
// wrong with an archive is for the zip scanner to say.
func (t *traits) archive(f scan.File) (int64, error) {
	at, size, err := directory(f)
	if err != nil || size == 0 {
		return f.Size, err
	}
	dir := make([]byte, min(size, maxDirectory))
	if err := phrase.Read(f, dir, at); err != nil {
		return 0, err
	}
	first := f.Size
	for len(dir) >= 46 && string(dir[:4]) == "PK\x01\x02" {
		e := entry{
			method: le.Uint16(dir[10:]), size: int64(le.Uint32(dir[20:])), at: int64(le.Uint32(dir[42:])),
		}
		name, extra := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:]))
		skip := 46 + name + extra + int(le.Uint16(dir[32:]))
		if skip > len(dir) {
			break
		}
		e.name = string(dir[46 : 46+name])
		e.wide(dir[46+name:46+name+extra], le.Uint32(dir[24:]) == 1<<32-1)
		dir = dir[skip:]
		if e.at < 0 || e.at > f.Size-30 {
			continue
		}
		first = min(first, e.at)
		if err := t.entry(f, e); err != nil {
			return 0, err
		}
	}
	return first, nil
}

// entry is a record of the central directory.
type entry struct {
	name     string
	method   uint16
	size, at int64 // packed size, offset of the local header
}

// wide takes 64-bit values from the extra field; sized says that the size of
// the content is among them.
func (e *entry) wide(extra []byte, sized bool) {
	for len(extra) >= 4 {
		n := int(le.Uint16(extra[2:]))
		if n > len(extra)-4 {
			return
		}
		if body := extra[4 : 4+n]; le.Uint16(extra) == 1 {
			take := func(v *int64) {
				if len(body) >= 8 {
					*v, body = int64(le.Uint64(body)), body[8:]
				}
			}
			var unpacked int64
			if sized {
				take(&unpacked)
			}
			if e.size == 1<<32-1 {
				take(&e.size)
			}
			if e.at == 1<<32-1 {
				take(&e.at)
			}
		}
		extra = extra[4+n:]
	}
}

// entry looks at the first bytes of a stored member.
func (t *traits) entry(f scan.File, e entry) error {
	args := e.name == ".args" && t.argsAt == 0
	if e.method != 0 || t.members && !args {
		return nil
	}
	var local [30]byte
	if err := phrase.Read(f, local[:], e.at); err != nil {
		return err
	}
	body := e.at + 30 + int64(le.Uint16(local[26:])) + int64(le.Uint16(local[28:]))
	want := int64(8)
	if args {
		want = maxArgs
	}
	b := make([]byte, max(0, min(want, e.size, f.Size-body)))
	if err := phrase.Read(f, b, body); err != nil {
		return err
	}
	t.members = t.members || isModel(b)
	if args {
		t.argsAt = body
		for _, a := range strings.Fields(string(b)) {
			if clue.Sensitive(a) && len(t.args) < maxCommands {
				t.args = append(t.args, a)
			}
		}
	}
	return nil
}

// directory returns where the central directory of a zip archive at the end of
// the file lies, with a size of zero when there is none.
func directory(f scan.File) (at, size int64, err error) {
	tail := make([]byte, min(f.Size, scan.TailSize))
	base := f.Size - int64(len(tail))
	if err := phrase.Read(f, tail, base); err != nil {
		return 0, 0, err
	}
	i := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if i < 0 || len(tail)-i < 22 {
		return 0, 0, nil
	}
	size, at = int64(le.Uint32(tail[i+12:])), int64(le.Uint32(tail[i+16:]))
	if j := i - 20; (at == 1<<32-1 || size == 1<<32-1) && j >= 0 && string(tail[j:j+4]) == "PK\x06\x07" {
		end := int64(le.Uint64(tail[j+8:]))
		if end < 0 || end > f.Size-56 {
			return 0, 0, nil
		}
		var b [56]byte
		if err := phrase.Read(f, b[:], end); err != nil {
			return 0, 0, err
		}
		size, at = int64(le.Uint64(b[40:])), int64(le.Uint64(b[48:]))
	}
	if at < 0 || size < 0 || at > f.Size || size > f.Size-at {
		return 0, 0, nil
	}
	return at, size, nil
}
