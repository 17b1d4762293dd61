package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"modelwall/scan"
)

// spool is a decoded member made random-access: in memory while small, in an
// unnamed temporary file once it grows.
type spool struct {
	mem  []byte
	file *os.File
	size int64
}

const spoolChunk = 64 << 10

// spool decodes m under the byte and ratio budgets. The error says why the
// result is not the whole member; what it holds is valid all the same.
func (in *inspection) spool(m scan.Member) (*spool, error) {
	s := &spool{}
	buf := make([]byte, spoolChunk)
	for {
		if err := context.Cause(in.ctx); err != nil {
			return s, err
		}
		n, err := m.Stream.Read(buf)
		if in.left.bytes -= int64(n); in.left.bytes < 0 {
			return s, scan.Limit(s.size, "more than %d bytes after decoding", in.limits.Bytes)
		}
		if werr := s.write(buf[:n], in.limits); werr != nil {
			return s, werr
		}
		if m.Packed > 0 && s.size > ratioFloor && s.size/in.limits.Ratio > m.Packed {
			return s, scan.Limit(s.size, "expands more than %d times", in.limits.Ratio)
		}
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
	}
}

func (s *spool) write(p []byte, l Limits) error {
	if s.file == nil && s.size+int64(len(p)) > l.Memory {
		f, err := os.CreateTemp(l.TempDir, "modelwall-member-*")
		if err != nil {
			return fmt.Errorf("spool a member: %w", err)
		}
		s.file = f
		if _, err := f.Write(s.mem); err != nil {
			return fmt.Errorf("spool a member: %w", err)
		}
		s.mem = nil
	}
	if s.file == nil {
		s.mem = append(s.mem, p...)
	} else if _, err := s.file.Write(p); err != nil {
		return fmt.Errorf("spool a member: %w", err)
	}
	s.size += int64(len(p))
	return nil
}

// ReadAt implements io.ReaderAt.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	if off < 0 || off >= int64(len(s.mem)) {
		return 0, io.EOF
	}
	n := copy(p, s.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// close frees the temporary file, if there is one. A file that stays behind
// costs space and nothing else.
func (s *spool) close() {
	if s.file == nil {
		return
	}
	s.file.Close()
	_ = os.Remove(s.file.Name())
}
