package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// concat is a ~ b, and a + b of strings.
func concat(a, b value) value {
	if a.shape != plain && b.shape != plain {
		return union(a, b)
	}
	v := value{open: a.open || b.open}
	if a.template() && b.template() {
		v.own = a.own || b.own || a.bareText() || b.bareText()
	}
	if len(a.texts)*len(b.texts) > maxPairs {
		v.own = a.template() && b.template()
		v.addText(holeText)
		return v
	}
	for _, x := range a.pieces() {
		for _, y := range b.pieces() {
			v.addText(squeeze(x + y))
		}
	}
	if a.path != "" && a.path == b.path {
		v.twice = a.path
	}
	return v
}

// squeeze writes holes in a row as one.
func squeeze(s string) string {
	for strings.Contains(s, holeText+holeText) {
		s = strings.ReplaceAll(s, holeText+holeText, holeText)
	}
	return s
}

// apply maps each text of v.
func apply(v value, f func(string) string) value {
	if v.isNum {
		return textsValue([]string{f(itoa(v.num))})
	}
	if len(v.texts) == 0 {
		return value{own: v.own || v.shape != plain && v.template(), open: v.open, path: ""}
	}
	texts := make([]string, len(v.texts))
	for i, t := range v.texts {
		texts[i] = f(t)
	}
	return textsValue(texts, v)
}

// derived is what an operation that is not followed makes of its inputs.
func derived(in ...value) value {
	if len(in) == 0 {
		return unknown()
	}
	for _, v := range in {
		if !v.template() {
			return unknown()
		}
	}
	return ownValue()
}

func reverse(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

func capitalize(s string) string {
	r := []rune(strings.ToLower(s))
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

func title(s string) string {
	letter := false
	return strings.Map(func(r rune) rune {
		was := letter
		letter = unicode.IsLetter(r)
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// characters is list(v).
func characters(v value) value {
	if v.shape == mapping {
		l := value{shape: list, own: v.own, open: v.open}
		for _, k := range v.keys {
			l.addItem(textValue(k))
		}
		return l
	}
	if v.shape != plain {
		return v
	}
	if !v.known() || len(v.texts) != 1 || utf8.RuneCountInString(v.texts[0]) > maxItems {
		d := derived(v)
		d.shape = shuffled
		d.open = !d.own
		return d
	}
	l := value{shape: list}
	for _, r := range v.texts[0] {
		l.addItem(textValue(string(r)))
	}
	return l
}

// join is sep.join(v).
func join(v, sep value) value {
	l := characters(v)
	if l.shape == shuffled && len(l.items) > 1 {
		return value{texts: []string{holeText}, own: l.template()}
	}
	if l.shape != list && len(l.items) == 0 {
		return derived(v, sep)
	}
	out := textValue("")
	for i, item := range l.items {
		if i > 0 && len(sep.texts) > 0 {
			out = concat(out, sep)
		}
		out = concat(out, item)
	}
	out.twice = ""
	out.own = out.own || l.own
	return out
}

// slice is v[from:to:by] of a string or a list.
func slice(v value, bounds [3]value, given [3]bool) value {
	for i := range bounds {
		if given[i] && !bounds[i].isNum {
			return derived(append([]value{v}, bounds[:]...)...)
		}
	}
	by := int64(1)
	if given[2] {
		by = bounds[2].num
	}
	if v.shape == list {
		out := value{shape: list, own: v.own, open: v.open}
		for _, i := range sliceIndexes(len(v.items), bounds, given, by) {
			out.addItem(v.items[i])
		}
		return out
	}
	if v.shape != plain || by == 0 {
		return derived(v)
	}
	return apply(v, func(s string) string {
		if strings.ContainsRune(s, hole) {
			return holeText
		}
		r := []rune(s)
		var out []rune
		for _, i := range sliceIndexes(len(r), bounds, given, by) {
			out = append(out, r[i])
		}
		return string(out)
	})
}

// sliceIndexes lists the places that a Python slice takes out of n.
func sliceIndexes(n int, bounds [3]value, given [3]bool, by int64) []int {
	if by == 0 {
		return nil
	}
	size := int64(n)
	clip := func(i int, def, low, high int64) int64 {
		if !given[i] {
			return def
		}
		at := bounds[i].num
		if at < 0 {
			at = max(at, -size-1) + size
		}
		return min(max(at, low), high)
	}
	var out []int
	if by > 0 {
		to := clip(1, size, 0, size)
		for i := clip(0, 0, 0, size); i < to; i += min(by, size+1) {
			out = append(out, int(i))
		}
		return out
	}
	to := clip(1, -1, -1, size-1)
	for i := clip(0, size-1, -1, size-1); i > to; i += max(by, -size-1) {
		out = append(out, int(i))
	}
	return out
}

// item is v[n].
func item(v value, n int64) value {
	if v.shape == list && !v.own && !v.open {
		if n < 0 {
			n += int64(len(v.items))
		}
		if n >= 0 && n < int64(len(v.items)) {
			return v.items[n]
		}
		return unknown()
	}
	if v.shape != plain {
		return v.any()
	}
	if len(v.texts) == 0 {
		return derived(v)
	}
	return apply(v, func(s string) string {
		r := []rune(s)
		if n < 0 {
			n += int64(len(r))
		}
		if n < 0 || n >= int64(len(r)) || strings.ContainsRune(s, hole) {
			return holeText
		}
		return string(r[n])
	})
}

// percent is format % args, as far as strings and characters go.
func percent(format string, args []value) value {
	out := textValue("")
	next := 0
	for format != "" {
		at := strings.IndexByte(format, '%')
		if at < 0 {
			return concat(out, textValue(format))
		}
		out = concat(out, textValue(format[:at]))
		format = strings.TrimLeft(format[at+1:], "0123456789.-+ #")
		if format == "" {
			return ownValue()
		}
		verb := format[0]
		format = format[1:]
		if verb == '%' {
			out = concat(out, textValue("%"))
			continue
		}
		arg := unknown()
		if next < len(args) {
			arg = args[next]
		}
		next++
		switch {
		case verb == 'c' && arg.isNum && arg.num >= 0 && arg.num <= unicode.MaxRune:
			arg = textValue(string(rune(arg.num)))
		case verb == '(':
			return derived(args...)
		}
		out = concat(out, arg)
	}
	out.twice = ""
	return out
}

// braces is format.format(args...), as far as plain fields go. The fields with
// attributes are handed to walk.
func braces(format string, args []value, named map[string]value, walk func(field string)) value {
	out := textValue("")
	next := 0
	for format != "" {
		at := strings.IndexAny(format, "{}")
		if at < 0 || at+1 == len(format) {
			return concat(out, textValue(format))
		}
		out = concat(out, textValue(format[:at]))
		if format[at+1] == format[at] {
			out = concat(out, textValue(format[at:at+1]))
			format = format[at+2:]
			continue
		}
		end := strings.IndexByte(format[at:], '}')
		if end < 0 {
			return ownValue()
		}
		field := format[at+1 : at+max(end, 1)]
		format = format[at+end+1:]
		field, spec, _ := strings.Cut(field, ":")
		field, _, _ = strings.Cut(field, "!")
		if strings.ContainsAny(field, ".[") {
			walk(field)
		}
		arg := unknown()
		switch n, err := strconv.Atoi(field); {
		case field == "" && next < len(args):
			arg = args[next]
			next++
		case err == nil && n >= 0 && n < len(args):
			arg = args[n]
		case named != nil:
			if v, ok := named[field]; ok {
				arg = v
			}
		}
		if spec == "c" && arg.isNum && arg.num >= 0 && arg.num <= unicode.MaxRune {
			arg = textValue(string(rune(arg.num)))
		}
		out = concat(out, arg)
	}
	out.twice = ""
	return out
}

// product multiplies without overflow.
func product(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	if p := a * b; a > 0 && b > 0 && p/a == b && p > 0 {
		return p
	}
	if (a < 0) != (b < 0) {
		return math.MinInt64
	}
	return math.MaxInt64
}
