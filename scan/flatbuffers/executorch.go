package flatbuffers

import (
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// The fields of ExecuTorch's tables that matter here.
const (
	programPlans, programBuffers, programInline, programSegments = 1, 2, 3, 4
	planOperators, planDelegates                                 = 6, 7
	operatorName                                                 = 0
	delegateID                                                   = 0
	blobData                                                     = 0
	segmentAt, segmentSize                                       = 0, 1
	maxBlobs                                                     = 1 << 10
)

// executorch walks an ExecuTorch program.
func executorch(m *model) {
	program := m.root()
	m.each(program.vector(programPlans, 4), func(_ int64, p table) {
		m.each(p.vector(planOperators, 4), func(_ int64, o table) {
			m.operator(o.at, o.string(operatorName))
		})
		m.each(p.vector(planDelegates, 4), func(_ int64, d table) {
			m.delegate(d.at, d.string(delegateID))
		})
	})
	m.each(program.vector(programBuffers, 4), func(_ int64, t table) { t.vector(blobData, 1) })
	m.each(program.vector(programInline, 4), func(i int64, t table) {
		if v := t.vector(blobData, 1); i < maxBlobs {
			m.blob(v.at, v.n)
		}
	})
	base := m.segments()
	m.each(program.vector(programSegments, 4), func(i int64, t table) {
		off, n := t.u64(segmentAt), t.u64(segmentSize)
		if m.err != nil {
			return
		}
		if off > uint64(m.f.Size-base) || n > uint64(m.f.Size-base)-off {
			m.fail(t.at, "a segment of %d bytes at %d", n, off)
			return
		}
		if i < maxBlobs {
			m.blob(base+int64(off), int64(n))
		}
	})
}

// segments returns where segments count from: the extended header says so.
func (m *model) segments() int64 {
	const at = 8
	var magic [4]byte
	if m.f.Size < at+24+8 {
		return 0
	}
	m.bytes(magic[:], at)
	if string(magic[:]) != "eh00" {
		return 0
	}
	base := m.u64(at + 16)
	if base > uint64(m.f.Size) {
		m.fail(at, "segments that begin at %d", base)
		return 0
	}
	return int64(base)
}

// operator judges a kernel by its namespace.
func (m *model) operator(off int64, name string) {
	space, _, ok := strings.Cut(name, "::")
	if m.err != nil || !ok {
		return
	}
	switch space {
	case "aten", "prim", "prims", "executorch_prim", "quantized_decomposed", "dim_order_ops", "llama", "torchao", "et_vk", "cadence", "cortex_m":
	default:
		m.finding("custom_op", scan.Low, "code-execution", off,
			"needs kernels of "+scan.Quote(space, 60)+", code that the application brings")
	}
}

// delegate judges a backend.
func (m *model) delegate(off int64, id string) {
	if m.err != nil {
		return
	}
	switch id {
	case "CudaBackend", "MetalBackend", "AotiBackend", "AOTIBackend", "AotiCudaBackend":
		m.finding("native", scan.SeveritySuspicious, "code-execution", off,
			"backend "+scan.Quote(id, 60)+" loads a shared library that comes with the model")
	case "XnnpackBackend", "CoreMLBackend", "MPSBackend", "QnnBackend", "VulkanBackend", "EthosUBackend", "ArmBackend", "NeuropilotBackend",
		"EnnBackend", "OpenvinoBackend", "VgfBackend", "NXPBackend", "SamsungBackend":
	default:
		m.finding("backend", scan.Low, "code-execution", off, "needs backend "+scan.Quote(id, 60)+", code that the application brings")
	}
}

// blob hands on what another scanner knows.
func (m *model) blob(off, n int64) {
	head := make([]byte, min(n, 64))
	if m.bytes(head, off); m.err == nil && clue.Serialized(head) {
		m.member("blob", off, n)
	}
}
