package engine

import (
	"context"
	"errors"
	"strings"

	"modelwall/scan"
)

// sink is what one scanner run on one file reports to.
type sink struct {
	in    *inspection
	file  scan.File
	depth int
}

func (s *sink) Finding(f scan.Finding) {
	f.Member = s.file.Member
	s.in.log.finding(f)
}

func (s *sink) Import(i scan.Import) {
	i.Member = s.file.Member
	if !s.in.log.imported(i) {
		s.in.problem(s.file.Member, "", scan.Limit(i.Offset, "more than %d distinct imports, or %d MiB of their names", s.in.limits.Imports, maxImportText>>20))
	}
}

// Member implements scan.Sink. What ends the inspection is remembered here, so
// that a scanner that loses the error can not turn it into a pass.
func (s *sink) Member(ctx context.Context, m scan.Member) error {
	in := s.in
	if err := context.Cause(in.ctx); err != nil {
		return s.stop(err)
	}
	if err := ctx.Err(); err != nil {
		return s.stop(err)
	}
	if err := in.budget.member(s.depth + 1); err != nil {
		return s.stop(err)
	}
	f := scan.File{Name: m.Name, Member: join(s.file.Member, m.Name), Size: m.Size, ReaderAt: m.At}
	if m.Stream == nil {
		if err := in.budget.pass(m.Size); err != nil {
			return s.stop(err)
		}
	} else {
		spooled := &spool{}
		defer spooled.close()
		err := in.fill(spooled, m)
		f.Size, f.ReaderAt = spooled.size, spooled
		if err != nil {
			in.problem(f.Member, "", err)
			if !errors.Is(err, scan.ErrMalformed) && !errors.Is(err, scan.ErrLimit) {
				return err
			}
		}
		if f.Name == "" {
			f.Name = s.file.Name
		}
	}
	in.file(f, s.depth+1)
	if err := context.Cause(in.ctx); err != nil {
		return s.stop(err)
	}
	return nil
}

// stop remembers why the inspection ends.
func (s *sink) stop(err error) error {
	s.in.problem(s.file.Member, "", err)
	return err
}

// maxName is how many bytes of a member's own name its path keeps: every
// finding and import repeats it.
const maxName = 256

func join(outer, name string) string {
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "..."
	}
	switch {
	case name == "":
		return outer
	case outer == "":
		return name
	}
	return outer + "!" + name
}
