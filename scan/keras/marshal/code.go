package marshal

// codes returns the code object at an index and those among its constants.
func (p *parser) codes(root int) []Code {
	var all []Code
	seen := map[int]bool{root: true}
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if p.spent() {
			break
		}
		if !p.valid(at) {
			continue
		}
		items := p.values[at].items
		c := Code{Bytecode: p.values[items[0]].text, Consts: len(p.values[items[1]].items), layout: p.layout.version}
		c.Filename, _ = p.text(items[p.layout.file])
		c.Name, _ = p.text(items[p.layout.file+1])
		c.Names = p.texts(items[p.layout.names])
		for _, l := range p.layout.locals {
			c.Locals = append(c.Locals, p.texts(items[l])...)
		}
		var inner []int
		c.Strings, inner = p.constants(items[1])
		for _, i := range inner {
			if !seen[i] {
				seen[i] = true
				queue = append(queue, i)
			}
		}
		all = append(all, c)
	}
	return all
}

// texts returns the strings of a tuple.
func (p *parser) texts(at int) []string {
	var all []string
	for _, i := range p.values[at].items {
		if p.spent() {
			break
		}
		if s, ok := p.text(i); ok {
			all = append(all, s)
		}
	}
	return all
}

// constants returns the strings and the code objects below a tuple.
func (p *parser) constants(at int) (texts []string, codes []int) {
	if p.seen == nil {
		p.seen = make([]int32, len(p.values))
	}
	p.round++
	p.seen[at] = p.round
	for queue := []int{at}; len(queue) > 0; queue = queue[1:] {
		for _, i := range p.values[queue[0]].items {
			if p.work++; p.spent() {
				return texts, codes
			}
			if p.seen[i] == p.round {
				continue
			}
			p.seen[i] = p.round
			if s, ok := p.text(i); ok {
				texts = append(texts, s)
			} else if p.values[i].kind == 'c' {
				codes = append(codes, i)
			} else {
				queue = append(queue, i)
			}
		}
	}
	return texts, codes
}
