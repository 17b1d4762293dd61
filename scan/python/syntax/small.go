package syntax

// small reads one small statement into s.
func (p *Parser) small(s *Stmt) bool {
	t := p.tok
	if t.Kind == NameToken && !t.Disguised {
		switch t.Text {
		case "import":
			p.next()
			s.Kind = Import
			return p.importNames(s)
		case "from":
			p.next()
			s.Kind = Import
			return p.importFrom(s)
		case "return":
			p.next()
			s.Kind = Return
			return p.value(s, tuple)
		case "pass", "break", "continue":
			p.next()
			s.Kind = Plain
			return true
		case "global", "nonlocal":
			if t.Text == "nonlocal" && p.ahead() == "" {
				break
			}
			p.next()
			s.Kind = Global
			return p.globals(s)
		case "del":
			p.next()
			s.Kind = Delete
			return p.value(s, tuple)
		case "assert":
			p.next()
			s.Kind = Plain
			return p.value(s, tuple)
		case "raise":
			p.next()
			s.Kind = Raise
			if !p.value(s, tuple) {
				return false
			}
			if p.tok.keyword("from") {
				p.next()
				n, failed := p.expr(0)
				s.Extra = n
				return !failed && n != nil
			}
			return true
		case "print", "exec":
			if done, ok := p.old(s, t); done {
				return ok
			}
			return p.expression(s) // p.old may have read the word
		case "type":
			if next := p.ahead(); next != "" && !reserved(next) {
				p.next()
			}
		}
	}
	return p.expression(s)
}

// value reads an expression that may be missing.
func (p *Parser) value(s *Stmt, m mode) bool {
	n, failed := p.expr(m)
	s.Value = n
	return !failed
}

// old reads the statements of Python 2 that later became functions. They are
// given as the call.
func (p *Parser) old(s *Stmt, t Token) (done, ok bool) {
	l := p.lx
	l.blanks()
	c := l.peek(0)
	arrow := c == '>' && l.peek(1) == '>' && t.Text == "print"
	operand := nameStart(c) || digit(c) || c == '"' || c == '\'' || c == '`' || c == '{' || c == '['
	if next := p.ahead(); next != "" && reserved(next) {
		switch next {
		case "not", "lambda", "None", "True", "False":
		default:
			operand = false
		}
	}
	if !arrow && !operand {
		return false, true
	}
	callee := p.node(&Node{Kind: Name, Text: t.Text, Off: t.Off, Line: t.Line})
	p.next()
	if arrow {
		p.next()
	}
	if t.Text == "exec" { // exec code in globals, locals
		code, failed := p.expr(noIn)
		if failed || code == nil {
			return true, false
		}
		args := []*Node{callee, code}
		kws := []string{""}
		if p.tok.keyword("in") {
			p.next()
			scope, failed := p.expr(tuple)
			if failed || scope == nil {
				return true, false
			}
			args, kws = append(args, scope), append(kws, "")
		}
		s.Value = p.node(&Node{Kind: Call, Kids: args, Kws: kws, Off: t.Off, Line: t.Line})
		return true, true
	}
	arg, failed := p.expr(tuple)
	if failed || arg == nil {
		return true, false
	}
	s.Value = p.node(&Node{Kind: Call, Kids: []*Node{callee, arg}, Kws: []string{""}, Off: t.Off, Line: t.Line})
	return true, true
}

// expression reads an expression statement or an assignment.
func (p *Parser) expression(s *Stmt) bool {
	n, failed := p.expr(tuple)
	if failed {
		return false
	}
	if n == nil {
		return p.fail("a statement is missing")
	}
	s.Value = n
	t := p.tok
	switch {
	case t.is("="):
		s.Kind = Assign
		s.Value = nil
		s.Targets = []*Node{n}
		for p.tok.is("=") {
			p.next()
			v, failed := p.expr(tuple)
			if failed {
				return false
			}
			if v == nil {
				return p.fail("a value is missing")
			}
			s.Targets = append(s.Targets, v)
			if len(s.Targets) > maxBrackets {
				return p.fail("too many targets")
			}
		}
		last := len(s.Targets) - 1
		s.Value, s.Targets = s.Targets[last], s.Targets[:last]
	case t.is(":") && (n.Kind == Name || n.Kind == Attr || n.Kind == Index) && !softBlock(n):
		s.Kind = Annotate
		s.Targets, s.Value = []*Node{n}, nil
		p.next()
		note, failed := p.expr(0)
		if failed {
			return false
		}
		if note == nil {
			return p.fail("an annotation is missing")
		}
		s.Extra = note
		if p.tok.is("=") {
			p.next()
			return p.value(s, tuple)
		}
	case t.Kind == OpToken && len(t.Text) >= 2 && t.Text[len(t.Text)-1] == '=' && precedence(t.Text[:len(t.Text)-1]) > 0 && precedence(t.Text) == 0:
		s.Kind = Augment
		s.Op = t.Text[:len(t.Text)-1]
		s.Targets = []*Node{n}
		p.next()
		return p.value(s, tuple)
	}
	return true
}

func (p *Parser) globals(s *Stmt) bool {
	for p.tok.Kind == NameToken {
		s.Names = append(s.Names, p.tok.Text)
		p.next()
		if !p.tok.is(",") {
			return true
		}
		p.next()
	}
	return p.fail("a name is missing")
}

// dotted reads a.b.c.
func (p *Parser) dotted() (string, bool) {
	var name string
	for {
		if p.tok.Kind != NameToken {
			return "", p.fail("a name is missing")
		}
		if len(name) < maxName {
			name += p.tok.Text
		}
		p.next()
		if !p.tok.is(".") {
			return name, true
		}
		name += "."
		p.next()
	}
}

func (p *Parser) importNames(s *Stmt) bool {
	for {
		off := p.tok.Off
		module, ok := p.dotted()
		if !ok {
			return false
		}
		im := ImportName{Module: module, Off: off}
		if im.As, ok = p.alias(); !ok {
			return false
		}
		s.Imports = append(s.Imports, im)
		if !p.tok.is(",") {
			return true
		}
		p.next()
	}
}

func (p *Parser) alias() (string, bool) {
	if !p.tok.keyword("as") {
		return "", true
	}
	p.next()
	if p.tok.Kind != NameToken {
		return "", p.fail("a name is missing")
	}
	as := p.tok.Text
	p.next()
	return as, true
}

func (p *Parser) importFrom(s *Stmt) bool {
	var module string
	for p.tok.is(".") || p.tok.is("...") {
		if len(module) < maxName {
			module += p.tok.Text
		}
		p.next()
	}
	if !p.tok.keyword("import") {
		name, ok := p.dotted()
		if !ok {
			return false
		}
		module += name
	}
	if !p.tok.keyword("import") {
		return p.fail("an import without what it imports")
	}
	p.next()
	if p.tok.is("*") {
		s.Imports = append(s.Imports, ImportName{Module: module, Name: "*", Off: p.tok.Off})
		p.next()
		return true
	}
	paren := p.tok.is("(")
	if paren {
		p.next()
	}
	for {
		if paren && p.tok.is(")") {
			p.next()
			return true
		}
		if p.tok.Kind != NameToken {
			return p.fail("a name is missing")
		}
		im := ImportName{Module: module, Name: p.tok.Text, Off: p.tok.Off}
		p.next()
		var ok bool
		if im.As, ok = p.alias(); !ok {
			return false
		}
		if im.As == "" {
			im.As = im.Name
		}
		if len(s.Imports) < maxNodes {
			s.Imports = append(s.Imports, im)
		}
		if p.tok.is(",") {
			p.next()
			continue
		}
		if paren {
			if !p.tok.is(")") {
				return p.fail("a bracket is not closed")
			}
			p.next()
		}
		return true
	}
}
