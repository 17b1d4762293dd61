// Package syntax reads Python source as far as it takes to see what a program
// does: a tokenizer after the lexical analysis of the language reference
// (chapter 2) and a reader of statements and expressions (chapters 6 to 8).
// Python 2 and 3 are read alike, as one file may be meant for either.
//
// Everything streams. The lexer holds one window of the file, the parser the
// nodes of one statement, so a file of any size is read in constant memory and
// linear time. Brackets, nodes, depth and the length of literals are bounded;
// nesting is kept on explicit stacks.
//
// Python compiles a whole file before it executes any of it. One error of
// syntax therefore keeps all of it from running; the parser counts errors,
// tells where the first is, and reads on at the next line all the same, as the
// error might be a construct that this package does not know.
package syntax

// Limits on what one file may make the reader hold.
const (
	maxBrackets = 200     // CPython's MAXLEVEL: deeper is "too many nested parentheses"
	maxIndents  = 100     // CPython's MAXINDENT
	maxNodes    = 1 << 16 // nodes of one statement before displays shed their items
	maxDepth    = 1000    // of an expression's tree
	maxString   = 1 << 20 // bytes kept of one literal
	maxAdjacent = 1 << 14 // literals kept of a row of them
	maxSalvage  = 1 << 14 // expressions looked for in a line that is broken
	maxExpr     = 64 << 10
	maxFormat   = 32 // nesting of f-strings
)
