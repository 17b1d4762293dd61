package pickle

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"modelwall/scan"
)

// rawArray follows joblib, which reads a raw array from the file right after
// the BUILD of its placeholder. Other loaders take those bytes for opcodes,
// and that reading is followed first.
func (m *machine) rawArray(wrapper value) bool {
	at := m.pos()
	if m.frameEnd != 0 && at < m.frameEnd {
		m.out.finding(scan.Finding{
			Rule: "pickle.raw", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techConfusion,
			Message: "joblib's placeholder of a raw array stands inside a frame, where its array can not follow",
		})
		return true
	}
	m.frameEnd = 0
	if m.fork != nil {
		m.fork()
		m.seek(at)
	}
	size, object, err := m.arraySize(wrapper)
	if m.err != nil {
		return false
	}
	if err != nil {
		m.out.finding(scan.Finding{
			Rule: "pickle.raw", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techConfusion,
			Message: "a raw array follows whose size the pickle does not tell: " + err.Error(),
		})
		return m.fail("a raw array of unknown size: %w", err)
	}
	if object {
		// An array of objects: one more pickle, then this one goes on.
		if len(m.suspended) >= maxSuspended {
			return m.exceed("object arrays nested more than %d levels deep", maxSuspended)
		}
		m.suspended = append(m.suspended, m.thread)
		m.below += len(m.stack)
		m.thread = thread{}
		return true
	}
	if alignment, ok := m.attribute(wrapper, "numpy_array_alignment_bytes"); ok && alignment.kind() != kindNone {
		b := m.arg(1)
		if b == nil {
			return false
		}
		m.seek(m.pos() + int64(b[0]))
	}
	if size > m.file.Size-m.pos() {
		m.seek(m.file.Size)
		return m.fail("a raw array of %d bytes where fewer are left", size)
	}
	m.seek(m.pos() + size)
	return true
}

// attribute returns what the last BUILD gave an instance under a name.
func (m *machine) attribute(v value, name string) (value, bool) {
	if v.p == nil || v.p.state.kind() != kindDict {
		return value{}, false
	}
	items, whole := v.p.state.items()
	found, ok := value{}, false
	if !whole {
		return found, ok // a later item may count
	}
	for i := 0; i+1 < len(items); i += 2 {
		if k, whole := m.text(items[i], 64); whole && k == name {
			found, ok = items[i+1], true
		}
	}
	return found, ok
}

// arraySize returns how many bytes of raw array follow, or that a pickle does.
func (m *machine) arraySize(wrapper value) (size int64, object bool, err error) {
	shape, ok := m.attribute(wrapper, "shape")
	dims, whole := shape.items()
	if !ok || !whole || shape.kind() != kindTuple && shape.kind() != kindList {
		return 0, false, fmt.Errorf("its shape is %s", m.describe(shape, 2))
	}
	dtype, ok := m.attribute(wrapper, "dtype")
	if !ok {
		return 0, false, fmt.Errorf("it has no dtype")
	}
	item, object, err := m.itemSize(dtype, 8)
	if err != nil || object {
		return 0, object, err
	}
	total := float64(item)
	for _, d := range dims {
		n := d.int()
		if d.kind() == kindObject && d.p != nil {
			n = -1
		} else if d.kind() != kindInt && d.kind() != kindBool || n < 0 {
			n = -1
		}
		if n < 0 {
			return 0, false, fmt.Errorf("its shape is %s", m.describe(shape, 2))
		}
		item *= n
		if total *= float64(n); total > math.MaxInt64/2 {
			return 0, false, fmt.Errorf("its shape is %s", m.describe(shape, 2))
		}
	}
	return item, false, nil
}

// itemSize returns the element size of a numpy dtype, or that it holds
// Python objects.
func (m *machine) itemSize(v value, depth int) (size int64, object bool, err error) {
	bad := func() (int64, bool, error) { return 0, false, fmt.Errorf("its dtype is %s", m.describe(v, 2)) }
	if v.kind() != kindObject || v.p == nil || m.names.list[v.index()].use != useDtype || len(v.p.items) == 0 || depth == 0 {
		return bad()
	}
	code, ok := m.text(v.p.items[0], 64)
	if !ok {
		return bad()
	}
	code = strings.TrimLeft(code, "<>=|")
	if code == "" {
		return bad()
	}
	n, numErr := strconv.ParseInt(code[1:], 10, 32)
	switch code[0] {
	case 'O':
		n, object, numErr = 8, true, nil
	case 'b', 'B', 'i', 'u', 'f', 'c', 'm', 'M', 'V', 'S', 'a', 'U':
	case '?':
		n, numErr = 1, nil
	default:
		return bad()
	}
	if code[0] == 'U' {
		n *= 4
	}
	if v.p.state.w == 0 {
		if numErr != nil {
			return bad()
		}
		return n, object, nil
	}
	// State: version, byte order, (subdtype, shape), names, fields, size,
	// alignment, flags. The size counts for what has none of its own, and the
	// flags tell numpy whether objects are inside.
	state, whole := v.p.state.items()
	if v.p.state.kind() != kindTuple || !whole || len(state) < 8 || state[5].kind() != kindInt || state[7].kind() != kindInt {
		return bad()
	}
	switch code[0] {
	case 'V', 'S', 'a', 'U':
		n, numErr = state[5].int(), nil
	default:
		if size := state[5].int(); size >= 0 && size != n {
			return bad()
		}
	}
	if sub, _ := state[2].items(); state[2].kind() == kindTuple && len(sub) == 2 {
		var size int64
		if size, object, err = m.subArray(sub, depth); err != nil || !object && size != n {
			return bad()
		}
	}
	fields, whole := state[4].items()
	if state[4].kind() == kindDict && !whole {
		return bad()
	}
	for i := 1; i < len(fields); i += 2 {
		field, _ := fields[i].items()
		if len(field) == 0 {
			return bad()
		}
		_, inside, err := m.itemSize(field[0], depth-1)
		if err != nil {
			return bad()
		}
		object = object || inside
	}
	if numErr != nil || n < 0 || n > math.MaxInt32*4 || object != (state[7].int()&1 == 1) {
		return bad()
	}
	return n, object, nil
}

func (m *machine) subArray(sub []value, depth int) (int64, bool, error) {
	n, object, err := m.itemSize(sub[0], depth-1)
	if err != nil || object {
		return 0, object, err
	}
	dims, whole := sub[1].items()
	if sub[1].kind() == kindInt {
		dims, whole = sub[1:2], true
	}
	for _, d := range dims {
		if d.kind() != kindInt || d.int() < 0 || d.int() > math.MaxInt32 || n > math.MaxInt32 {
			whole = false
			break
		}
		n *= d.int()
	}
	if !whole {
		return 0, false, fmt.Errorf("the shape of its subarrays is %s", m.describe(sub[1], 2))
	}
	return n, false, nil
}
