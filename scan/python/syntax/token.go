package syntax

// TokenKind tells tokens apart.
type TokenKind uint8

// The kinds of token.
const (
	EOF TokenKind = iota
	Newline
	Indent
	Dedent
	NameToken
	NumberToken
	StringToken
	OpToken
	Bad
)

// Token is one token. Comments and blank lines yield none.
type Token struct {
	Kind TokenKind
	Text string // of names (after NFKC), numbers and operators
	Lit  *Literal
	Off  int64
	Line int
	// Disguised marks a name written with other characters than the ASCII ones
	// it stands for: 𝐞𝐱𝐞𝐜 is exec to Python.
	Disguised bool
}

func (t Token) is(op string) bool { return t.Kind == OpToken && t.Text == op }

func (t Token) keyword(word string) bool {
	return t.Kind == NameToken && t.Text == word && !t.Disguised
}

// Literal is a string literal.
type Literal struct {
	Value   string // escapes resolved; of an f-string the literal parts only
	Bytes   bool
	Escapes int     // characters written as \x.., \ooo, \u....
	Parts   []Field // the replacement fields of an f-string
	Format  bool    // f"" or t""
	Cut     bool    // longer than what is kept
}

// Field is a replacement field of an f-string, as source text.
type Field struct {
	At  int // how much of the literal text stands before it
	Src string
}

// reserved reports the words that can not be names in any Python 3; async,
// await, nonlocal, print and exec are names in some version.
func reserved(s string) bool {
	switch s {
	case "False", "None", "True", "and", "as", "assert", "break", "class", "continue", "def", "del",
		"elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
		"lambda", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield":
		return true
	}
	return false
}
