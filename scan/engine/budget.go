package engine

import "modelwall/scan"

// ratioFloor is how many bytes a file may expand to before ratios count: a few
// zeroed tensors compress a thousandfold without being a bomb.
const ratioFloor = 64 << 20

// Bounds on how often the same bytes are looked at. Members of members that
// all claim the same bytes multiply with each level; an honest tree shows each
// byte once a level, a few times where headers disagree.
const (
	maxPasses = 16
	passFloor = 4 << 20 // bytes that a small file may take anyway
)

// budget counts what one file with everything inside it has cost.
type budget struct {
	limits  Limits
	size    int64 // of the file, in bytes
	members int
	decoded int64 // bytes that came out of compressed members
	passed  int64 // bytes of members that lie in their container as they are
}

// member counts a member at a level of nesting.
func (b *budget) member(depth int) error {
	if b.members++; b.members > b.limits.Members {
		return scan.Limit(0, "more than %d members", b.limits.Members)
	}
	if depth > b.limits.Depth {
		return scan.Limit(0, "nested more than %d levels deep", b.limits.Depth)
	}
	return nil
}

// pass counts n bytes of a member that lies in its container as it is.
func (b *budget) pass(n int64) error {
	if b.passed += n; b.passed > passFloor && b.passed/maxPasses > b.size+b.decoded {
		return scan.Limit(0, "the same bytes are members more than %d times", maxPasses)
	}
	return nil
}

// decode counts n more decoded bytes, off of them in this member.
func (b *budget) decode(n, off int64) error {
	if b.decoded += n; b.decoded > b.limits.Bytes {
		return scan.Limit(off, "more than %d bytes after decoding", b.limits.Bytes)
	}
	if b.decoded > ratioFloor && b.decoded/b.limits.Expansion > b.size {
		return scan.Limit(off, "the members take more than %d times the size of the file", b.limits.Expansion)
	}
	return nil
}

// ratio judges a member of packed bytes, 0 when unknown, by what it has been
// decoded to.
func (b *budget) ratio(packed, decoded int64) error {
	if packed > 0 && decoded > ratioFloor && decoded/b.limits.Ratio > packed {
		return scan.Limit(decoded, "expands more than %d times", b.limits.Ratio)
	}
	return nil
}
