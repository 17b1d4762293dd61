package xml

import (
	"fmt"
	"math"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// entity is what a document type declares under a name.
type entity struct {
	size int64          // of the text between references, in bytes
	refs map[string]int // how often others are referred to
	off  int64
}

// Bounds of what is kept.
const (
	maxEntities = 4 << 10
	maxRefs     = 256 // different names in one entity
)

// Limits of what entities may expand to, as many parsers have them.
const (
	maxExpansion = 1 << 20 // bytes
	maxFactor    = 64      // times a part is repeated through levels of entities
)

// doctype reads a document type up to its end.
func (t *tokenizer) doctype(at int64) {
	t.blanks()
	kind := t.name()
	t.external(at, "the document type", strings.EqualFold(kind, "html"), true)
	for {
		t.blanks()
		c, ok := t.src.next()
		switch {
		case !ok:
			t.damage()
			return
		case c == '>':
			return
		case c == '[':
			t.subset()
		}
	}
}

// subset reads the declarations between "[" and "]".
func (t *tokenizer) subset() {
	for {
		c, ok := t.src.next()
		switch {
		case !ok:
			t.damage()
			return
		case c == ']':
			return
		case c != '<':
			continue
		}
		at := t.src.at() - 1
		switch c, _ := t.src.next(); c {
		case '?':
			t.until("?>", nil)
		case '!':
			if c, _ := t.src.peek(); c == '-' {
				t.src.next()
				if c, _ := t.src.next(); c == '-' {
					t.until("-->", nil)
				}
				continue
			}
			if strings.EqualFold(t.name(), "ENTITY") {
				t.entity(at)
			}
			t.rest()
		}
	}
}

// rest reads the rest of a declaration, in which ">" may be quoted.
func (t *tokenizer) rest() {
	for {
		c, ok := t.src.peek()
		switch {
		case !ok:
			t.damage()
			return
		case c == '"' || c == '\'':
			t.value()
			continue
		}
		if t.src.next(); c == '>' {
			return
		}
	}
}

// entity reads the declaration of an entity: % for one of the document type
// itself, a name, and its text or where it lies.
func (t *tokenizer) entity(at int64) {
	t.blanks()
	what := "an entity"
	prefix := "&"
	if c, _ := t.src.peek(); c == '%' {
		t.src.next()
		t.blanks()
		what, prefix = "a parameter entity", "%"
	}
	name := t.name()
	t.blanks()
	if c, _ := t.src.peek(); c == '"' || c == '\'' {
		t.doc.declare(at, prefix+name, t.value())
		return
	}
	t.external(at, what, false, false)
}

// external reads where something lies outside of the document, if it does.
func (t *tokenizer) external(at int64, what string, html, kind bool) {
	t.blanks()
	c, _ := t.src.peek()
	if c|0x20 != 's' && c|0x20 != 'p' {
		return
	}
	word := t.name()
	public := ""
	if strings.EqualFold(word, "PUBLIC") {
		t.blanks()
		public = t.value()
	} else if !strings.EqualFold(word, "SYSTEM") {
		return
	}
	t.blanks()
	system := ""
	if c, _ := t.src.peek(); c == '"' || c == '\'' {
		system = t.value()
	}
	if html {
		return
	}
	t.doc.outside(at, what, public, system, kind)
}

// outside judges a reference to something outside of the document.
func (d *document) outside(at int64, what, public, system string, kind bool) {
	where := clue.WhichPath(system)
	severity := scan.SeverityMalicious
	switch {
	case kind && known(public, system):
		return
	case kind && where == clue.Inside && !clue.Sensitive(system):
		severity = scan.Low
	case kind && where == clue.Remote && public != "":
		severity = scan.Low // a name; few parsers fetch it
	case kind && where == clue.Remote:
		severity = scan.SeveritySuspicious
	case where == clue.Inside && !clue.Sensitive(system):
		severity = scan.SeveritySuspicious
	}
	d.finding("xml.external", severity, "file-access", at,
		fmt.Sprintf("%s that the parser reads from %s", what, scan.Quote(system, 160)))
}

// known reports document types that are names.
func known(public, system string) bool {
	for _, authority := range [...]string{
		"http://www.w3.org/", "https://www.w3.org/", "http://www.apple.com/DTDs/", "http://www.dmg.org/", "http://dmg.org/",
		"https://www.apple.com/DTDs/",
	} {
		if strings.HasPrefix(system, authority) {
			return true
		}
	}
	return system == "" && public != ""
}

// declare takes an entity with its text. The first declaration counts.
func (d *document) declare(at int64, name, text string) {
	if _, again := d.entities[name]; again {
		return
	}
	if len(d.entities) >= maxEntities {
		d.finding("xml.bomb", scan.SeveritySuspicious, "bomb", at, "more entities than any document has")
		return
	}
	if len(d.entities) == 0 {
		d.firstEntity = at
	}
	e := entity{off: at, refs: map[string]int{}}
	for rest := text; ; {
		i := strings.IndexAny(rest, "&%")
		if i < 0 {
			e.size += int64(len(rest))
			break
		}
		e.size += int64(i)
		end := strings.IndexByte(rest[i:], ';')
		if end < 0 {
			e.size += int64(len(rest) - i)
			break
		}
		ref := rest[i : i+end]
		rest = rest[i+end+1:]
		if _, plain := character(ref[1:]); plain || len(ref) > maxName || len(ref) < 2 {
			e.size++
			continue
		}
		if _, have := e.refs[ref]; have || len(e.refs) < maxRefs {
			e.refs[ref]++
		}
	}
	d.entities[name] = e
	if m := d.phrases.Match(text); m != "" {
		d.finding("xml.command", scan.SeveritySuspicious, "code-execution", at, "an entity holds a command: "+scan.Quote(m, 160))
	}
}

// expand judges what the entities expand to.
func (d *document) expand() {
	if len(d.entities) == 0 {
		return
	}
	sizes := map[string]expansion{}
	worst := expansion{}
	for name := range d.entities {
		if e := d.measure(name, sizes); e.size > worst.size || e.factor > worst.factor {
			worst = expansion{max(e.size, worst.size), max(e.factor, worst.factor)}
		}
	}
	body := int64(0)
	for name, times := range d.uses {
		body = min(endless, body+times*min(d.measure(name, sizes).size, endless/times))
	}
	worst.size = max(worst.size, body)
	switch {
	case worst.size >= maxExpansion || worst.factor >= maxFactor:
		size := fmt.Sprintf("%d bytes", worst.size)
		if worst.size >= endless {
			size = "no end"
		}
		d.finding("xml.bomb", scan.SeverityMalicious, "bomb", d.firstEntity,
			fmt.Sprintf("entities made of entities expand to %s, parts of them %d times", size, worst.factor))
	case d.root == pmml || d.root == openVINO:
		d.finding("xml.entity", scan.SeveritySuspicious, "obfuscation", d.firstEntity,
			"declares entities, which no tool that writes models does")
	}
}

// expansion is how long an entity gets, and how often its innermost part
// stands in it through at least two levels.
type expansion struct{ size, factor int64 }

// endless is more than any expansion, and that of an entity within itself.
const endless = math.MaxInt64 / (1 << 20)

// measure works out an entity with all it refers to, without recursion.
func (d *document) measure(name string, done map[string]expansion) expansion {
	stack := []string{name}
	open := map[string]bool{}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		e, declared := d.entities[top]
		if _, ok := done[top]; ok || !declared {
			stack = stack[:len(stack)-1]
			continue
		}
		waits := false
		if !open[top] {
			open[top] = true
			for ref := range e.refs {
				if _, ok := d.entities[ref]; !ok {
					continue
				}
				if _, ok := done[ref]; ok {
					continue
				}
				if open[ref] { // within itself
					done[ref] = expansion{endless, endless}
					continue
				}
				stack = append(stack, ref)
				waits = true
			}
		}
		if waits {
			continue
		}
		sum := expansion{size: e.size, factor: 1}
		for ref, times := range e.refs {
			part := done[ref]
			n := int64(times)
			sum.size = min(endless, sum.size+n*min(part.size, endless/n))
			sum.factor = max(sum.factor, min(endless, n*min(part.factor, endless/n)))
		}
		if _, ok := done[top]; !ok {
			done[top] = sum
		}
		stack = stack[:len(stack)-1]
	}
	return done[name]
}
