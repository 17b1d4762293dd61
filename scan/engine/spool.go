package engine

import (
	"context"
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

// fill decodes m under the byte and ratio budgets. The error says why s is not
// the whole member; what it holds is valid all the same.
func (in *inspection) fill(s *spool, m scan.Member) error {
	if in.chunk == nil {
		in.chunk = make([]byte, spoolChunk)
	}
	buf := in.chunk
	if over := in.budget.decode(m.Reserves, 0); over != nil {
		return over
	}
	for {
		if err := context.Cause(in.ctx); err != nil {
			return err
		}
		n, err := m.Stream.Read(buf)
		if over := in.budget.decode(int64(n), s.size); over != nil {
			return over
		}
		if werr := s.write(buf[:n], in.limits); werr != nil {
			return werr
		}
		if over := in.budget.ratio(m.Packed, s.size); over != nil {
			return over
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
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
