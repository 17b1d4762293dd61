package sevenzip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"modelwall/scan"
)

func quote(name string) string { return scan.Quote(name, 120) }

// files hands over every file of h.
func (a *archive) files(ctx context.Context, h *header, packedEnd int64) error {
	p, readable, n, err := a.plan(h.streams, packedEnd)
	if err != nil {
		return err
	}
	d := &decoder{src: a.r}
	if n > 0 {
		if d, err = a.decoder(readable, packedEnd); err != nil {
			return err
		}
		if len(d.files) != n {
			return scan.Malformed(packedEnd, "the list of files names %d, %d were found", n, len(d.files))
		}
	}
	return a.deliver(ctx, h, d, p)
}

// plan says for each folder why it is not decoded, where its files begin among
// the decoded ones, and how many packed bytes it has.
type plan struct {
	why    []error
	at     []int
	packed []int64
}

// plan sorts out the folders that can not be decoded. In the streams that it
// returns these copy their bytes and hold no files; the others hold n.
func (a *archive) plan(st *streams, packedEnd int64) (p plan, readable *streams, n int, err error) {
	readable = &streams{packPos: st.packPos}
	inputs := st.packSizes
	var memory, taken uint64
	for i := range st.folders {
		f := &st.folders[i]
		if len(f.packed) > len(inputs) {
			return p, nil, 0, scan.Malformed(packedEnd, "a folder takes more packed streams than there are")
		}
		mine := inputs[:len(f.packed)]
		inputs = inputs[len(f.packed):]
		reserved, why := f.decodable(sum(mine))
		memory, taken = memory+reserved, taken+min(sum(mine), maxMemory)
		if why == nil && memory > allMemory && memory-allMemory > perByte*taken {
			why = errors.New("the folders need too much memory one after another")
		}
		if f.encrypted() {
			why = errEncrypted
		}
		p.why = append(p.why, why)
		p.at = append(p.at, n)
		p.packed = append(p.packed, int64(min(sum(mine), uint64(a.size))))
		cut := st.cut[i]
		if why != nil {
			f = &folder{coders: []coder{{id: coderCopy, in: 1, out: 1}}, packed: []uint64{0}, sizes: []uint64{sum(mine)}}
			mine, cut = f.sizes, nil
		}
		n += len(cut)
		readable.folders = append(readable.folders, *f)
		readable.packSizes = append(readable.packSizes, mine...)
		readable.cut = append(readable.cut, cut)
	}
	return p, readable, n, nil
}

var errEncrypted = errors.New("encrypted")

func sum(sizes []uint64) uint64 {
	var n uint64
	for _, s := range sizes {
		n += min(s, 1<<62/uint64(len(sizes)))
	}
	return n
}

// deliver hands over the files in the order of the list, which is that of the
// folders, so that each folder is decoded once.
func (a *archive) deliver(ctx context.Context, h *header, d *decoder, p plan) error {
	st := h.streams
	folder, in, index := 0, 0, 0 // the folder, the file in it, the file of all
	for i := range h.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := &h.files[i]
		a.judgeName(f.name)
		if f.empty {
			if f.emptyFile {
				if err := a.sink.Member(ctx, scan.Member{Name: f.name, At: bytes.NewReader(nil)}); err != nil {
					return err
				}
			}
			continue
		}
		for folder < len(st.cut) && in >= len(st.cut[folder]) {
			folder, in = folder+1, 0
		}
		if folder >= len(st.cut) {
			return scan.Malformed(0, "there are more files than streams")
		}
		if why := p.why[folder]; why != nil {
			a.unreadable(f.name, why)
		} else {
			err := a.deliverOne(ctx, f, d.open(p.at[folder]+in), st.crcs[index], p.packed[folder])
			switch {
			case errors.Is(err, errStopped):
				p.why[folder] = err
			case err != nil:
				return err
			}
		}
		in++
		index++
	}
	return a.unnamed(ctx, st, d, p, folder, in, index)
}

// unnamed hands over the streams that no file names. No tool unpacks them, but
// they are there.
func (a *archive) unnamed(ctx context.Context, st *streams, d *decoder, p plan, folder, in, index int) error {
	f := &file{name: "(stream without a name)"}
	for ; folder < len(st.cut); folder, in = folder+1, 0 {
		for ; in < len(st.cut[folder]); in, index = in+1, index+1 {
			a.finding("sevenzip.hidden", scan.SeveritySuspicious, "archive-confusion", "there are more streams than files")
			if why := p.why[folder]; why != nil {
				a.unreadable(f.name, why)
				continue
			}
			err := a.deliverOne(ctx, f, d.open(p.at[folder]+in), st.crcs[index], p.packed[folder])
			if errors.Is(err, errStopped) {
				p.why[folder] = err
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

var errStopped = errors.New("an earlier file of the same block was not decoded to its end")

func (a *archive) unreadable(name string, why error) {
	switch {
	case errors.Is(why, errEncrypted):
		a.finding("sevenzip.encrypted", scan.SeveritySuspicious, "evasion", quote(name)+" is encrypted and can not be examined")
	case !errors.Is(why, errStopped):
		a.finding("sevenzip.method", scan.Low, "archive-confusion", fmt.Sprintf("%s can not be decoded: %v", quote(name), why))
	}
	a.unexamined("%s: %w", quote(name), why)
}

// deliverOne hands over one file. It returns errStopped when nothing after it
// in the same folder can be decoded: decoding on would only repeat the damage,
// or spend what the engine has already refused.
func (a *archive) deliverOne(ctx context.Context, f *file, s *stream, want digest, packed int64) error {
	if f.attributes>>28 == 0xa { // the Unix mode of a symbolic link
		return a.link(ctx, f, s, want, packed)
	}
	if err := a.sink.Member(ctx, scan.Member{Name: f.name, Stream: s, Packed: packed}); err != nil {
		return err
	}
	return a.judgeEnd(f, s, want)
}

func (a *archive) judgeEnd(f *file, s *stream, want digest) error {
	switch {
	case s.src.err != nil:
		return s.src.err
	case s.Err() == nil && uint64(s.Decoded()) != s.file.UncompressedSize:
		return errStopped // a budget ended it; the engine knows
	case s.Err() != nil && !errors.Is(s.Err(), io.EOF):
		a.finding("sevenzip.data", scan.SeveritySuspicious, "broken-file",
			fmt.Sprintf("%s is damaged after %d decoded bytes", quote(f.name), s.Decoded()))
		if a.problem == nil {
			a.problem = fmt.Errorf("%s: %w", quote(f.name), s.Err())
		}
		return errStopped
	}
	if want.defined && s.sum != want.sum {
		a.finding("sevenzip.crc", scan.SeveritySuspicious, "archive-confusion", quote(f.name)+" has a wrong checksum")
	}
	s.close()
	return nil
}

// maxTarget is the longest path that a system takes for a link.
const maxTarget = 4 << 10

// link reports a symbolic link; its content is where it leads.
func (a *archive) link(ctx context.Context, f *file, s *stream, want digest, packed int64) error {
	if s.file.UncompressedSize > maxTarget {
		a.finding("sevenzip.symlink", scan.SeveritySuspicious, "path-traversal", quote(f.name)+" is a symbolic link to nowhere")
		if err := a.sink.Member(ctx, scan.Member{Name: f.name, Stream: s, Packed: packed}); err != nil {
			return err
		}
		return a.judgeEnd(f, s, want)
	}
	target, err := io.ReadAll(s)
	if err != nil {
		return a.judgeEnd(f, s, want)
	}
	from := string(target)
	if !absolute(from) {
		from = path.Dir(slashed(f.name)) + "/" + slashed(from)
	}
	severity := scan.Low
	if escapes(from) {
		severity = scan.SeverityMalicious
	}
	a.finding("sevenzip.symlink", severity, "path-traversal",
		fmt.Sprintf("%s is a symbolic link to %s", quote(f.name), quote(string(target))))
	return a.judgeEnd(f, s, want)
}

func (a *archive) judgeName(name string) {
	if escapes(name) {
		a.finding("sevenzip.path", scan.SeverityMalicious, "path-traversal", "unpacks outside of its folder: "+quote(name))
	}
}

func slashed(name string) string { return strings.ReplaceAll(name, `\`, "/") }

// escapes reports whether a name leads out of the folder that the archive is
// unpacked in, on Unix or on Windows.
func escapes(name string) bool {
	if absolute(name) {
		return true
	}
	depth := 0
	for part := range strings.SplitSeq(slashed(name), "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// absolute reports a name that starts at a root or at a Windows drive.
func absolute(name string) bool {
	if name == "" {
		return false
	}
	drive := len(name) >= 2 && name[1] == ':' && name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z'
	return name[0] == '/' || name[0] == '\\' || drive
}
