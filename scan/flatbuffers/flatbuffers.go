// Package flatbuffers inspects models that are flat buffers: TensorFlow Lite
// (.tflite), ONNX Runtime's own format (.ort) and ExecuTorch programs (.pte).
//
// A flat buffer is used where it lies: tables refer to their fields by offset,
// through a vtable that says which fields there are. Loaders save the time of
// verifying these offsets (TensorFlow Lite does unless asked), so one that
// points outside of the file reads or writes memory that is none of the
// model's. Everything here is checked before it is followed, and an offset
// that leads out is a finding.
//
// The models are graphs of operations, most of which compute:
//
//   - TensorFlow Lite: a custom operation is code that an application brings.
//     Those that begin with "Flex" run an operation of TensorFlow, which the
//     Python interpreter links in by itself: reading and writing files, calling
//     Python. They carry its definition (a NodeDef), which is handed on as the
//     graph that it is.
//   - ONNX Runtime: operations of other domains than ONNX's and Microsoft's
//     come from a library that the user registers; PyOp runs Python.
//   - ExecuTorch: a delegate takes a blob that its backend understands. Those
//     of the AOTInductor family (CUDA, Metal) hold a shared library that is
//     written to a file and loaded.
//
// Tensors are not read. Specified by https://flatbuffers.dev/internals,
// tensorflow/lite/schema/schema.fbs, onnxruntime's ort.fbs and ExecuTorch's
// program.fbs.
package flatbuffers

import (
	"context"
	"errors"

	"modelwall/scan"
)

// Scanner inspects one kind of model. It is safe for concurrent use.
type Scanner struct {
	format string
	match  func(id string) bool
	strict bool         // the identifier is short: the root has to be there as well
	scan   func(*model) // reports, and leaves its error in the buffer
}

// New returns the scanners.
func New() []scan.Scanner {
	return []scan.Scanner{
		&Scanner{"tflite", func(id string) bool { return id == "TFL3" }, false, tflite},
		&Scanner{"ort", func(id string) bool { return id == "ORTM" }, false, ort},
		&Scanner{"executorch", func(id string) bool { return id[:3] == "ET1" && id[3] >= '0' && id[3] <= '9' }, true, executorch},
	}
}

// Format implements scan.Scanner.
func (s *Scanner) Format() string { return s.format }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: the identifier behind the first offset.
func (s *Scanner) Match(p scan.Probe) bool {
	return len(p.Head) >= 8 && s.match(string(p.Head[4:8])) && (!s.strict || int64(le.Uint32(p.Head)) < p.Size)
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	if f.Size < 8 {
		return &scan.Error{Class: scan.ErrForeign, Reason: errors.New("too short")}
	}
	m := &model{buffer: &buffer{f: f}, ctx: ctx, sink: sink, format: s.format, told: map[string]bool{}, count: map[string]int{}}
	s.scan(m)
	if errors.Is(m.err, scan.ErrMalformed) {
		var e *scan.Error
		errors.As(m.err, &e)
		m.finding("bounds", scan.SeveritySuspicious, "broken-file", e.Offset,
			"points outside of the file, which loaders do not check: "+e.Reason.Error())
	}
	return m.err
}

// model is the state of one Scan.
type model struct {
	*buffer
	ctx    context.Context //nolint:containedctx // one Scan call is this value's whole life
	sink   scan.Sink
	format string
	told   map[string]bool
	count  map[string]int
}

// maxFindings bounds the findings of each rule.
const maxFindings = 20

// finding reports once for each message.
func (m *model) finding(what string, sev scan.Severity, technique string, off int64, message string) {
	if m.told[message] || m.count[what] >= maxFindings {
		return
	}
	m.told[message] = true
	m.count[what]++
	m.sink.Finding(scan.Finding{Rule: m.format + "." + what, Severity: sev, Message: message, Offset: off, Technique: technique})
}

// each calls do for the tables of a vector, until there is an error.
func (m *model) each(v vector, do func(i int64, t table)) {
	for i := int64(0); i < v.n && m.err == nil; i++ {
		if i&0xfff == 0 && m.ctx.Err() != nil {
			m.err = m.ctx.Err()
			return
		}
		if t := v.table(i); m.err == nil {
			do(i, t)
		}
	}
}

// member hands a part of the file on.
func (m *model) member(name string, off, size int64) {
	if m.err == nil {
		m.err = m.sink.Member(m.ctx, scan.Member{Name: name, At: m.f.Section(off, size), Size: size})
	}
}
