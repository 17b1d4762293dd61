package syntax

// compound reads the header of a compound statement up to its colon. done is
// false when the line is none.
func (p *Parser) compound(t Token) (s *Stmt, ok, done bool) {
	s = &Stmt{Off: t.Off, Line: t.Line}
	word := t.Text
	if word == "async" {
		switch p.ahead() {
		case "def", "for", "with":
			p.next()
			word = p.tok.Text
		default:
			return nil, false, false
		}
	}
	switch word {
	case "def":
		p.next()
		s.Kind = DefStmt
		return s, p.function(s), true
	case "class":
		p.next()
		s.Kind = ClassStmt
		return s, p.class(s), true
	case "if":
		s.Kind = IfStmt
	case "elif":
		s.Kind = ElifStmt
	case "while":
		s.Kind = WhileStmt
	case "else":
		s.Kind = ElseStmt
	case "try":
		s.Kind = TryStmt
	case "finally":
		s.Kind = FinallyStmt
	case "except":
		p.next()
		s.Kind = ExceptStmt
		if p.tok.is("*") {
			p.next()
		}
		n, failed := p.expr(tuple | withAs)
		s.Value = n
		return s, !failed, true
	case "with":
		p.next()
		s.Kind = WithStmt
		n, failed := p.expr(tuple | withAs)
		s.Value = n
		return s, !failed && n != nil, true
	case "for":
		p.next()
		s.Kind = ForStmt
		target, failed := p.expr(tuple | noIn)
		if failed || target == nil || !p.tok.keyword("in") {
			return s, p.fail("a loop without what it goes over"), true
		}
		p.next()
		s.Targets = []*Node{target}
		n, failed := p.expr(tuple)
		s.Value = n
		return s, !failed && n != nil, true
	case "match", "case":
		return p.soft(s, word)
	default:
		return nil, false, false
	}
	p.next()
	if s.Kind == ElseStmt || s.Kind == TryStmt || s.Kind == FinallyStmt {
		return s, true, true
	}
	n, failed := p.expr(0)
	s.Value = n
	if !failed && n == nil {
		p.fail("a condition is missing")
	}
	return s, !failed && n != nil, true
}

// ahead is the word that follows the token at hand on its line, if any.
func (p *Parser) ahead() string {
	l := p.lx
	l.blanks()
	n := 0
	for n < 16 && nameStart(l.peek(n)) {
		n++
	}
	return string(l.buf[l.pos : l.pos+n])
}

// soft reads "match x:" and "case p:" where no expression can be meant.
func (p *Parser) soft(s *Stmt, word string) (*Stmt, bool, bool) {
	l := p.lx
	l.blanks()
	c := l.peek(0)
	inMatch := len(p.blocks) > 0 && p.blocks[len(p.blocks)-1].cases
	if !(inMatch && word == "case") && !nameStart(c) && !digit(c) && c != '"' && c != '\'' && c != '{' && c != '~' {
		return nil, false, false
	}
	if next := p.ahead(); next != "" && next != "None" && next != "True" && next != "False" && next != "not" && next != "lambda" && reserved(next) {
		return nil, false, false
	}
	p.next()
	s.Kind = MatchStmt
	if word == "case" {
		s.Kind = CaseStmt
	}
	n, failed := p.expr(tuple | withAs)
	s.Value = n
	return s, !failed && n != nil, true
}

// class reads the name and the bases.
func (p *Parser) class(s *Stmt) bool {
	if p.tok.Kind != NameToken {
		return p.fail("a class without a name")
	}
	s.Name = p.tok.Text
	p.next()
	p.typeParams()
	if p.tok.is("(") {
		// The list of bases is that of a call's arguments.
		call := &Node{Kind: Name, Text: s.Name, Off: s.Off, Line: s.Line}
		r := exprReader{p: p, want: false, frames: []frame{{}}, vals: []*Node{call}}
		r.open('c', r.pop())
		for !r.failed && len(r.frames) > 1 {
			if r.want {
				r.operand()
			} else {
				r.infix()
			}
			if r.ended {
				return p.fail("a class that does not end")
			}
			if p.nodes > 4*maxNodes {
				p.giant = true
				return p.fail("an expression of too many parts")
			}
		}
		if r.failed {
			return false
		}
		s.Value = r.pop()
	}
	return true
}

// typeParams skips the parameters of a generic class or function.
func (p *Parser) typeParams() {
	if !p.tok.is("[") {
		return
	}
	depth := 0
	for p.tok.Kind == NameToken || p.tok.Kind == OpToken || p.tok.Kind == StringToken || p.tok.Kind == NumberToken {
		if p.tok.is("[") {
			depth++
		} else if p.tok.is("]") {
			depth--
		}
		p.next()
		if depth == 0 {
			return
		}
	}
}

// function reads the name, the parameters and what is returned.
func (p *Parser) function(s *Stmt) bool {
	if p.tok.Kind != NameToken {
		return p.fail("a function without a name")
	}
	s.Name = p.tok.Text
	p.next()
	p.typeParams()
	if !p.tok.is("(") {
		return p.fail("a function without parameters")
	}
	p.next()
	for !p.tok.is(")") {
		if !p.param(s) {
			return false
		}
		if p.tok.is(",") {
			p.next()
		} else if !p.tok.is(")") {
			return p.fail("two operands side by side")
		}
	}
	p.next()
	if p.tok.is("->") {
		p.next()
		n, failed := p.expr(0)
		s.Extra = n
		return !failed
	}
	return true
}

func (p *Parser) param(s *Stmt) bool {
	var q Param
	switch {
	case p.tok.is("/"):
		p.next()
		return true
	case p.tok.is("*") || p.tok.is("**"):
		q.Name = p.tok.Text
		p.next()
		if p.tok.is(",") || p.tok.is(")") {
			return true
		}
	case p.tok.is("("): // Python 2 unpacks in parameters
		n, failed := p.expr(0)
		if failed || n == nil {
			return false
		}
		s.Params = append(s.Params, Param{})
		return true
	}
	if p.tok.Kind != NameToken {
		return p.fail("a parameter without a name")
	}
	q.Name += p.tok.Text
	p.next()
	if p.tok.is(":") {
		p.next()
		n, failed := p.expr(0)
		if failed {
			return false
		}
		q.Note = n
	}
	if p.tok.is("=") {
		p.next()
		n, failed := p.expr(0)
		if failed || n == nil {
			return false
		}
		q.Default = n
	}
	s.Params = append(s.Params, q)
	return true
}
