package flatbuffers

import (
	"strings"

	"modelwall/scan"
)

// The fields of ONNX Runtime's tables that matter here.
const (
	sessionModel                        = 1
	ortGraph, ortProps                  = 7, 9
	nodeDomain, nodeType, nodeAttrs     = 2, 5, 10
	graphNodes, graphInits, graphSparse = 2, 0, 7
	attrTensor, attrGraph               = 6, 7
	attrTensors, attrGraphs             = 11, 12
	tensorRaw                           = 4
	maxGraphs                           = 1 << 16
)

// ort walks an ONNX Runtime model, subgraphs included, each once.
func ort(m *model) {
	model := m.root().table(sessionModel)
	todo := []table{model.table(ortGraph)}
	seen := map[int64]bool{}
	for len(todo) > 0 && m.err == nil {
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if g.b == nil || seen[g.at] {
			continue
		}
		if len(seen) >= maxGraphs {
			m.err = scan.Limit(g.at, "more than %d graphs", maxGraphs)
			return
		}
		seen[g.at] = true
		m.each(g.vector(graphInits, 4), func(_ int64, t table) { t.vector(tensorRaw, 1) })
		m.each(g.vector(graphNodes, 4), func(_ int64, n table) {
			m.node(n)
			m.each(n.vector(nodeAttrs, 4), func(_ int64, a table) {
				a.table(attrTensor).vector(tensorRaw, 1)
				if a.has(attrGraph) {
					todo = append(todo, a.table(attrGraph))
				}
				m.each(a.vector(attrGraphs, 4), func(_ int64, g table) { todo = append(todo, g) })
			})
		})
	}
}

// node judges an operation by its domain and name.
func (m *model) node(n table) {
	domain, op := n.string(nodeDomain), n.string(nodeType)
	if m.err != nil {
		return
	}
	switch low := strings.ToLower(op); {
	case low == "pyop" || low == "pythonop" || strings.HasPrefix(low, "pythonop"):
		m.finding("python", scan.SeveritySuspicious, "code-execution", n.at, "operation "+scan.Quote(op, 60)+" runs Python")
		return
	}
	switch {
	case domain == "", domain == "ai.onnx", strings.HasPrefix(domain, "ai.onnx."), strings.HasPrefix(domain, "com.microsoft"),
		strings.HasPrefix(domain, "com.ms.internal"), strings.HasPrefix(domain, "org.pytorch"):
	default:
		m.finding("custom_op", scan.Low, "code-execution", n.at,
			"operations of domain "+scan.Quote(domain, 80)+" need a library that the user loads")
	}
}
