package engine

import (
	"context"
	"errors"

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
		s.in.problem(s.file.Member, "", scan.Limit(i.Offset, "more than %d distinct imports", s.in.limits.Imports))
	}
}

func (s *sink) Member(ctx context.Context, m scan.Member) error {
	in := s.in
	if err := context.Cause(in.ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if in.left.members--; in.left.members < 0 {
		return scan.Limit(0, "more than %d members", in.limits.Members)
	}
	if s.depth+1 > in.limits.Depth {
		return scan.Limit(0, "nested more than %d levels deep", in.limits.Depth)
	}
	f := scan.File{Name: m.Name, Member: join(s.file.Member, m.Name), Size: m.Size, ReaderAt: m.At}
	if m.Stream != nil {
		spooled, err := in.spool(m)
		defer spooled.close()
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
	return context.Cause(in.ctx)
}

func join(outer, name string) string {
	switch {
	case name == "":
		return outer
	case outer == "":
		return name
	}
	return outer + "!" + name
}
