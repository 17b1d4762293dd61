package flatbuffers

import (
	"encoding/binary"
	"io"
	"sort"

	"modelwall/scan"
)

// extent is a part of the file.
type extent struct{ at, n int64 }

// flex is the definitions of TensorFlow operations as the graph that they are:
// field 1 of a GraphDef is a node. The nodes stay where they lie.
type flex struct {
	f     scan.File
	parts []part
	size  int64
}

// part is a node with the tag and the length ahead of it.
type part struct {
	begin int64 // in the graph
	head  []byte
	node  extent
}

func (p part) end() int64 { return p.begin + int64(len(p.head)) + p.node.n }

// add appends a node.
func (x *flex) add(node extent) {
	p := part{x.size, binary.AppendUvarint([]byte{0x0a}, uint64(node.n)), node}
	x.parts = append(x.parts, p)
	x.size = p.end()
}

// ReadAt implements io.ReaderAt.
func (x *flex) ReadAt(b []byte, off int64) (int, error) {
	i := sort.Search(len(x.parts), func(i int) bool { return x.parts[i].end() > off })
	done := 0
	for ; i < len(x.parts) && done < len(b); i++ {
		p := x.parts[i]
		at := off + int64(done) - p.begin
		if at < int64(len(p.head)) {
			n := copy(b[done:], p.head[at:])
			done, at = done+n, at+int64(n)
		}
		at -= int64(len(p.head))
		if rest := min(int64(len(b)-done), p.node.n-at); at >= 0 && rest > 0 {
			n, err := x.f.Section(p.node.at, p.node.n).ReadAt(b[done:done+int(rest)], at)
			if done += n; int64(n) < rest {
				return done, err
			}
		}
	}
	if done < len(b) {
		return done, io.EOF
	}
	return done, nil
}
