package syntax

// Kind tells nodes apart.
type Kind uint8

// The kinds of expression. Kids are named in the order in which they stand.
const (
	Opaque    Kind = iota // something that was not kept
	Name                  // Text
	Str                   // Lits, adjacent ones as one
	Num                   // Text
	Const                 // Text: None, True, False, ...
	Attr                  // object; Text
	Call                  // callee, arguments; Kws has each argument's keyword, "*" or "**"
	Index                 // object, index
	Slice                 // start, stop, step; nil where missing
	Bin                   // operands; Text is the operator, also of comparisons, "and", "or"
	Unary                 // operand; Text
	Star                  // operand; Text is "*" or "**"
	Tuple                 // items
	List                  // items
	Set                   // items
	Dict                  // key, value, key, value…; a nil key is **value
	Comp                  // element, target, iterable
	Filter                // comprehension, condition
	Lambda                // body, defaults…; Kws has the parameters
	Await                 // operand
	Yield                 // operand
	If                    // value, condition
	Else                  // an If, the other value
	Walrus                // target, value
	As                    // value, target
	FieldExpr             // the expression of a replacement field
)

// Node is an expression.
type Node struct {
	Kind      Kind
	Text      string
	Lits      []*Literal
	Kids      []*Node
	Kws       []string
	Off       int64
	Line      int
	Disguised bool // see Token
	Cut       bool // items are missing: there were too many
	depth     int
}

// grow sets the depth from the kids.
func (n *Node) grow() *Node {
	for _, k := range n.Kids {
		if k != nil && k.depth >= n.depth {
			n.depth = k.depth + 1
		}
	}
	return n
}
