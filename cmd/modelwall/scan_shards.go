package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"modelwall/scan"
)

// tree is the files of a folder or repository, by their slash-separated paths
// in it. A loader does not stop at the file it is given: an index names the
// shards that hold the tensors, and a shard says by its name how many there
// are. What is named and not there was not inspected, and a loader may fetch it
// from elsewhere; so it is told.
type tree struct {
	has    map[string]bool
	counts map[string]int // shards by their series
}

func newTree() *tree { return &tree{has: map[string]bool{}, counts: map[string]int{}} }

func (t *tree) add(name string) {
	t.has[name] = true
	if s, ok := shardOf(name); ok {
		t.counts[s.series]++
	}
}

// shard is a file of a series: model-00001-of-00003.safetensors.
type shard struct {
	series       string // the name without its number
	number, last int
}

var shardName = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})(\.[^/]+)$`)

func shardOf(name string) (shard, bool) {
	m := shardName.FindStringSubmatch(name)
	if m == nil {
		return shard{}, false
	}
	number, _ := strconv.Atoi(m[2]) // five digits fit
	last, _ := strconv.Atoi(m[3])
	return shard{m[1] + "-of-" + m[3] + m[4], number, last}, true
}

// Bounds of an index of shards.
const (
	maxIndex      = 64 << 20 // bytes; a million tensors need some more, and nobody has them
	maxIndexFiles = 100_000  // which five digits number
)

// missing tells which files the target names that are not there.
func (t target) missing(f *opened) ([]scan.Finding, error) {
	if t.tree == nil {
		return nil, nil
	}
	tell := func(what string, names []string, n int) []scan.Finding {
		quoted := make([]string, min(len(names), 5))
		for i := range quoted {
			quoted[i] = scan.Quote(names[i], 100)
		}
		text := strings.Join(quoted, ", ")
		if n > len(quoted) {
			text += fmt.Sprintf(" and %d more", n-len(quoted))
		}
		return []scan.Finding{{
			Rule: "shards.missing", Severity: scan.Low, Technique: "incomplete",
			Message: what + " not here, and was not inspected: " + text,
		}}
	}
	if s, ok := shardOf(t.inTree); ok && s.last <= 99999 && t.tree.counts[s.series] < s.last {
		// Only the first one that is there tells.
		var names []string
		n := 0
		m := shardName.FindStringSubmatch(t.inTree)
		for i := range s.last {
			name := fmt.Sprintf("%s-%05d-of-%s%s", m[1], i+1, m[3], m[4])
			switch {
			case t.tree.has[name] && i+1 < s.number:
				return nil, nil
			case !t.tree.has[name]:
				n++
				if len(names) < 5 {
					names = append(names, path.Base(name))
				}
			}
		}
		return tell("a shard of this series is", names, n), nil
	}
	if !strings.HasSuffix(t.inTree, ".index.json") || f.size > maxIndex {
		return nil, nil
	}
	named, err := readIndex(f)
	if err != nil || len(named) == 0 {
		return nil, err
	}
	var names []string
	for _, name := range named {
		// A path that leaves the folder is for the scanner of configurations.
		if !t.tree.has[path.Join(path.Dir(t.inTree), name)] && !strings.HasPrefix(path.Clean(name), "..") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return tell("a shard that the index names is", names, len(names)), nil
}

// readIndex returns the distinct files that the weight_map of an index names,
// sorted. What is no index names none: that is for its scanner to say.
func readIndex(f *opened) ([]string, error) {
	src := &sectionReader{SectionReader: io.NewSectionReader(f, 0, f.size)}
	dec := json.NewDecoder(src)
	seen := map[string]bool{}
	depth, inMap, key := 0, false, true
	for {
		token, err := dec.Token()
		if src.err != nil {
			return nil, src.err
		}
		if err != nil {
			break // of the JSON: its scanner has said so
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '{' || token == '[' {
				depth++
			} else {
				depth--
			}
			inMap = inMap && depth >= 2
			key = true
		case string:
			switch {
			case inMap && depth == 2:
				if !key && (len(seen) < maxIndexFiles || seen[token]) {
					seen[token] = true
				}
				key = !key
			case depth == 1 && token == "weight_map":
				inMap, key = true, true
			}
		default:
			key = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// sectionReader keeps the reader's own error, which a decoder wraps.
type sectionReader struct {
	*io.SectionReader
	err error
}

// Read implements io.Reader.
func (s *sectionReader) Read(p []byte) (int, error) {
	n, err := s.SectionReader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
