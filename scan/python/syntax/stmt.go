package syntax

// StmtKind tells statements apart.
type StmtKind uint8

// The kinds of statement. Compound ones go to Handler.Enter.
const (
	ExprStmt    StmtKind = iota // Value
	Assign                      // Targets, Value
	Augment                     // Targets[0], Op, Value
	Annotate                    // Targets[0], Value or nil; the annotation is Extra
	Import                      // Imports
	Return                      // Value or nil
	Raise                       // Value or nil
	Delete                      // Value
	Global                      // Names
	Plain                       // pass, break, continue, assert (Value) and the like
	DefStmt                     // Name, Params, Decorators
	ClassStmt                   // Name, Value is a Call whose arguments are the bases, or nil
	IfStmt                      // Value
	ElifStmt                    // Value
	ElseStmt                    // also of loops and try
	WhileStmt                   // Value
	ForStmt                     // Targets[0], Value
	WithStmt                    // Value: an As, another expression or a tuple of them
	TryStmt                     //
	ExceptStmt                  // Value or nil
	FinallyStmt                 //
	MatchStmt                   // Value
	CaseStmt                    // Value
)

// Stmt is a statement without the statements inside it.
type Stmt struct {
	Kind       StmtKind
	Name       string
	Op         string
	Targets    []*Node
	Value      *Node
	Extra      *Node
	Imports    []ImportName
	Names      []string
	Params     []Param
	Decorators []*Node
	Off        int64
	Line       int
}

// ImportName is one name of an import statement.
type ImportName struct {
	Module string // with its leading dots
	Name   string // "" for "import module", "*" for all of it
	As     string // what it is bound to; "" for "import a.b", which binds a
	Off    int64
}

// Param is a parameter of a function.
type Param struct {
	Name    string // with its stars
	Default *Node
	Note    *Node // the annotation
}

// Handler takes the statements of a file in order.
type Handler interface {
	Simple(s *Stmt)
	Enter(s *Stmt) // a compound statement begins
	Leave()        // it ends
	// Shed takes an item of a display too long to be kept whole.
	Shed(n *Node)
	// More is asked after each logical line; false ends the reading.
	More() bool
}
