package hdf5_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/hdf5"
	"modelwall/scan/scantest"
)

const (
	config = `{"class_name":"Sequential","config":{"name":"s","layers":[]}}`
	evil   = "cos\nsystem\n(S'id'\ntR."
)

type sample struct {
	name    string
	data    []byte
	rule    string // that must be found, "" for none at all
	worst   scan.Severity
	err     error
	members map[string]string // that must be handed over
}

// both makes a file of either generation.
func both(name string, make func(w *builder) []byte, rule string, worst scan.Severity, err error, members map[string]string) []sample {
	return []sample{
		{name + ", old", make(newBuilder(false)), rule, worst, err, members},
		{name + ", new", make(newBuilder(true)), rule, worst, err, members},
	}
}

func samples() []sample {
	sus, mal := scan.SeveritySuspicious, scan.SeverityMalicious
	model := map[string]string{"model_config": config}
	one := func(addr func(w *builder) uint64) func(w *builder) []byte {
		return func(w *builder) []byte {
			a := addr(w)
			return w.file(w.header(w.group(child{"d", a})...), 0)
		}
	}
	link := func(file string) func(w *builder) []byte {
		return func(w *builder) []byte { return w.file(w.header(w.external("l", file, "/x")), 0) }
	}
	var all []sample
	add := func(s ...sample) { all = append(all, s...) }

	add(both("model", func(w *builder) []byte { return w.file(w.header(w.text("model_config", config)), 0) }, "", scan.Info, nil, model)...)
	add(both("user block", func(w *builder) []byte { return w.file(w.header(w.text("model_config", config)), 1024) }, "", scan.Info, nil, model)...)
	add(both("far user block", func(w *builder) []byte { return w.file(w.header(w.text("model_config", config)), 16384) }, "", scan.Info, nil, model)...)
	add(both("user block put in front later", func(w *builder) []byte {
		return append(make([]byte, 512), w.file(w.header(w.text("model_config", config)), 0)...)
	}, "", scan.Info, nil, model)...)
	add(both("variable length", func(w *builder) []byte {
		refs := w.heap("not this", config)
		return w.file(w.header(w.attribute("model_config", vlenString(), space(), refs[1])), 0)
	}, "", scan.Info, nil, model)...)
	add(both("group in a group", func(w *builder) []byte {
		inner := w.header(append(w.group(), w.text("x", `{"a":1}`))...)
		outer := w.header(w.group(child{"inner", inner})...)
		return w.file(w.header(w.group(child{"outer", outer})...), 0)
	}, "", scan.Info, nil, map[string]string{"outer/inner@x": `{"a":1}`})...)
	add(both("dense attributes", func(w *builder) []byte {
		w2 := &builder{new: true}
		var bodies [][]byte
		for i := range 20 {
			bodies = append(bodies, w2.text(fmt.Sprint("a", i), fmt.Sprintf(`{"i":%d}`, i)).body)
		}
		big := w2.text("model_config", config+strings.Repeat(" ", 5000)+"\n").body
		return w.file(w.header(w.dense(0x15, append(bodies, big)...)), 0)
	}, "", scan.Info, nil, map[string]string{"a7": `{"i":7}`, "a19": `{"i":19}`, "model_config": config + strings.Repeat(" ", 5000) + "\n"})...)
	add(both("dense links", func(w *builder) []byte {
		inner := w.header(w.text("model_config", config))
		w2 := &builder{new: true}
		return w.file(w.header(w.dense(0x02, w2.link("a", 0, fields(inner)).body, w2.external("e", "other.h5", "/").body)), 0)
	}, "hdf5.external_link", sus, nil, map[string]string{"a@model_config": config})...)
	add(both("committed type", func(w *builder) []byte {
		typ := w.header(message{3, 0, fixedString(len(config))})
		a := w.attribute("model_config", fields(byte(3), byte(2), typ), space(), []byte(config))
		a.body[0], a.body[1] = 3, 1
		if !w.new { // the layout of version 3 has a character set and no padding
			w2 := &builder{new: true}
			a = w2.attribute("model_config", fields(byte(3), byte(2), typ), space(), []byte(config))
			a.body[1] = 1
		}
		return w.file(w.header(a), 0)
	}, "", scan.Info, nil, model)...)
	add(sample{"continuation", func() []byte {
		w := newBuilder(false)
		return w.file(w.continued(w.text("model_config", config)), 0)
	}(), "", scan.Info, nil, model})
	add(both("plain attributes", func(w *builder) []byte {
		return w.file(w.header(w.text("title", "A test. Nothing more."), w.attribute("names", fixedString(4), space(3), []byte("ab\x00\x00cd\x00\x00e.\x00\x00"))), 0)
	}, "", scan.Info, nil, map[string]string{})...)
	add(both("tensor", one(func(w *builder) uint64 { return w.contiguous(float32Type(), space(1000), make([]byte, 4000)) }), "", scan.Info, nil, map[string]string{})...)
	add(both("picture", one(func(w *builder) uint64 { return w.contiguous(bytesType(), space(16, 16), make([]byte, 256)) }), "", scan.Info, nil, map[string]string{})...)
	add(both("texts", one(func(w *builder) uint64 {
		return w.contiguous(fixedString(8), space(9000), bytes.Repeat([]byte("some txt"), 9000))
	}), "", scan.Info, nil, map[string]string{})...)
	add(both("virtual in itself", one(func(w *builder) uint64 { return w.virtual(".") }), "", scan.Info, nil, nil)...)
	add(both("soft link", func(w *builder) []byte { return w.file(w.header(w.link("s", 1, fields(uint16(5), "/nope"))), 0) }, "", scan.Info, nil, nil)...)
	add(both("group that holds itself", func(w *builder) []byte {
		root := uint64(len(w.b)) // the next structure
		return w.file(w.header(w.link("me", 0, fields(root))), 0)
	}, "", scan.Info, nil, nil)...)

	add(both("pickle in an attribute", func(w *builder) []byte { return w.file(w.header(w.text("x", evil)), 0) }, "", scan.Info, nil, map[string]string{"x": evil})...)
	add(both("pickle in bytes", one(func(w *builder) uint64 { return w.contiguous(bytesType(), space(5), []byte("\x80\x04K\x01.")) }), "", scan.Info, nil, map[string]string{"d": "\x80\x04K\x01."})...)
	add(both("opaque pickle", one(func(w *builder) uint64 { return w.contiguous(opaque(len(evil)), space(), []byte(evil)) }), "", scan.Info, nil, map[string]string{"d": evil})...)
	add(both("pickle in packed bytes", one(func(w *builder) uint64 {
		return w.chunked(bytesType(), 1, []byte("\x80\x04"+strings.Repeat("K\x010", 50)+"N."), 32, 1)
	}), "", scan.Info, nil, map[string]string{"d": "\x80\x04" + strings.Repeat("K\x010", 50) + "N."})...)
	add(both("rows of pickles", one(func(w *builder) uint64 {
		return w.contiguous(vlenBytes(), space(2), slices.Concat(w.heap("\x80\x04N.", evil)...))
	}), "", scan.Info, nil, map[string]string{"d": evil})...)
	add(both("rows behind a plug-in", func(w *builder) []byte {
		refs := slices.Concat(w.heap("\x80\x04N.", evil)...)
		return w.file(w.header(w.group(child{"d", w.promised(refs)})...), 0)
	}, "", scan.Info, nil, map[string]string{"d": evil})...)
	add(both("configuration among texts", one(func(w *builder) uint64 {
		return w.contiguous(fixedString(len(config)), space(2), []byte(strings.Repeat("x", len(config))+config))
	}), "", scan.Info, nil, map[string]string{"d": config})...)

	add(both("external link", link("other.h5"), "hdf5.external_link", sus, nil, nil)...)
	add(both("link to a share", link(`\\host\share\x.h5`), "hdf5.external_link", mal, nil, nil)...)
	add(both("external storage", one(func(w *builder) uint64 { return w.stored("data.bin") }), "hdf5.external_storage", sus, nil, nil)...)
	add(both("storage in a system file", one(func(w *builder) uint64 { return w.stored("/etc/passwd") }), "hdf5.external_storage", mal, nil, nil)...)
	add(both("storage above", one(func(w *builder) uint64 { return w.stored("a/../../key") }), "hdf5.external_storage", mal, nil, nil)...)
	add(both("virtual", one(func(w *builder) uint64 { return w.virtual("other.h5") }), "hdf5.virtual", sus, nil, nil)...)
	add(both("bomb", one(func(w *builder) uint64 {
		return w.header(message{1, 0, space(1 << 40)}, message{3, 0, float32Type()}, message{8, 0, fields(byte(3), byte(1), undefined, uint64(0))})
	}), "hdf5.bomb", sus, nil, nil)...)
	add(both("unknown filter", one(func(w *builder) uint64 { return w.chunked(float32Type(), 4, make([]byte, 64), 4, 600) }), "hdf5.filter", scan.Low, nil, nil)...)
	add(both("user-defined link", func(w *builder) []byte { return w.file(w.header(w.link("u", 99, fields(uint16(0)))), 0) }, "hdf5.link", scan.Low, nil, nil)...)

	add(both("cut off", func(w *builder) []byte {
		b := w.file(w.header(w.text("model_config", config)), 0)
		return b[:len(b)-4]
	}, "hdf5.broken", scan.Low, scan.ErrMalformed, nil)...)
	add(both("root lost", func(w *builder) []byte {
		w.header(w.text("model_config", config))
		return w.file(1<<40, 0)
	}, "hdf5.broken", scan.Low, scan.ErrMalformed, map[string]string{"(found)": config})...)
	add(both("one child lost", func(w *builder) []byte {
		good := w.header(w.text("model_config", config))
		return w.file(w.header(w.group(child{"bad", 1 << 40}, child{"good", good})...), 0)
	}, "hdf5.broken", scan.Low, scan.ErrMalformed, map[string]string{"good@model_config": config})...)
	add(sample{"superblock of nothing", append([]byte(signature), make([]byte, 100)...), "hdf5.broken", scan.Low, scan.ErrMalformed, nil})
	return all
}

// virtual writes a data set that is put together from a file's.
func (w *builder) virtual(file string) uint64 {
	whole := fields(uint32(3), uint32(1), uint32(0), uint32(0))
	refs := w.heap(string(fields(byte(0), uint64(1), file, byte(0), "d", byte(0), whole, whole, uint32(0))))
	return w.header(message{1, 0, space(4)}, message{3, 0, float32Type()}, message{8, 0, fields(byte(4), byte(3), refs[0][4:])})
}

// stored writes a data set whose bytes are in another file.
func (w *builder) stored(file string) uint64 {
	heap, at := w.names(file)
	return w.header(message{1, 0, space(100)}, message{3, 0, bytesType()},
		message{7, 0, fields(byte(1), "\x00\x00\x00", uint16(1), uint16(1), heap, at[0], uint64(0), uint64(100))},
		message{8, 0, fields(byte(3), byte(1), undefined, uint64(100))})
}

// promised writes rows of pickles behind a filter that can not be undone.
func (w *builder) promised(refs []byte) uint64 {
	at := w.put(make([]byte, len(refs)))
	tree := w.put("TREE", byte(1), byte(0), uint16(1), undefined, undefined, uint32(len(refs)), uint32(0), uint64(0), uint64(0), at, make([]byte, 24))
	return w.header(w.text("PSEUDOATOM", "object"), message{1, 0, space(2)}, message{3, 0, vlenBytes()},
		message{0x0b, 0, fields(byte(2), byte(1), uint16(32001), uint16(0), uint16(0), uint16(0))},
		message{8, 0, fields(byte(3), byte(2), byte(2), tree, uint32(2), uint32(16))})
}

func TestSamples(t *testing.T) {
	for _, c := range samples() {
		t.Run(c.name, func(t *testing.T) {
			r, err := scantest.Scan(hdf5.New(), "x", c.data)
			if !errors.Is(err, c.err) {
				t.Errorf("error = %v, want class %v", err, c.err)
			}
			if r.Worst() != c.worst {
				t.Errorf("worst finding = %v, want %v", r.Worst(), c.worst)
			}
			if c.rule == "" != (len(r.Findings) == 0) || c.rule != "" && !found(r, c.rule) {
				t.Errorf("findings = %+v, want %q", r.Findings, c.rule)
			}
			for name, body := range c.members {
				if !has(r, name, body) {
					t.Errorf("no member %q with %.80q; members: %.300q", name, body, r.Members)
				}
			}
			if c.members != nil && len(c.members) == 0 && len(r.Members) > 0 {
				t.Errorf("members %q, want none", r.Members)
			}
		})
	}
}

func found(r *scantest.Record, rule string) bool {
	return slices.ContainsFunc(r.Findings, func(f scan.Finding) bool { return f.Rule == rule })
}

func has(r *scantest.Record, name, body string) bool {
	return slices.ContainsFunc(r.Members, func(m scantest.Member) bool { return m.Name == name && string(m.Data) == body })
}

func TestAcceptance(t *testing.T) {
	var all []scantest.Sample
	for _, c := range samples() {
		all = append(all, scantest.Sample{Name: c.name, Data: c.data, Worst: c.worst, Err: c.err})
	}
	scantest.Run(t, hdf5.New(), all)
}

func TestForeign(t *testing.T) {
	for _, data := range []string{"", "text", signature[:7], strings.Repeat("x", 100_000), strings.Repeat(" ", 100) + signature} {
		if _, err := scantest.Scan(hdf5.New(), "model.h5", []byte(data)); !errors.Is(err, scan.ErrForeign) {
			t.Errorf("%.20q: error = %v, want ErrForeign", data, err)
		}
	}
}

// TestBytesRead: of a big model, only the structure is read.
func TestBytesRead(t *testing.T) {
	const layers, size = 20, 8 << 20
	w := newBuilder(false)
	var children []child
	for i := range layers {
		d := w.contiguous(float32Type(), space(size/4), nil)
		le.PutUint64(w.b[len(w.b)-16:], uint64(len(w.b)+8+i*size)) // where the elements are: behind the structure
		le.PutUint64(w.b[len(w.b)-8:], size)
		children = append(children, child{fmt.Sprint("w", i), d})
	}
	head := w.file(w.header(append(w.group(children...), w.text("model_config", config))...), 0)
	f := &sparse{head: head, size: int64(len(head)) + layers*size}
	le.PutUint64(head[40:], uint64(f.size))
	r := &scantest.Record{}
	if err := hdf5.New().Scan(t.Context(), scan.File{Name: "x", Size: f.size, ReaderAt: f}, r); err != nil {
		t.Fatal(err)
	}
	if !has(r, "model_config", config) {
		t.Error("the configuration did not come out")
	}
	if f.read > 128<<10 {
		t.Errorf("%d bytes of %d were read, want at most 128 KiB", f.read, f.size)
	}
}

// sparse is a head and zeros.
type sparse struct {
	head []byte
	size int64
	read int64
}

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.size-off))
	clear(p[:n])
	if off < int64(len(s.head)) {
		copy(p[:n], s.head[off:])
	}
	s.read += int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func FuzzScan(f *testing.F) {
	for _, c := range samples() {
		if len(c.data) < 16<<10 {
			f.Add(c.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, hdf5.New(), data) })
}
