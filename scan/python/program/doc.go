// Package program tells what a Python program does, from its text alone.
//
// It runs the statements symbolically, twice: once to learn what functions
// return and what names are bound to, once to judge. A value is a constant, a
// name of something imported, a function of the file, or unknown; with it goes
// where it came from (its taint): decoded, taken from the network, a key or
// token. Constant strings are put together as Python would (concatenation,
// join, slices, chr, base64, zlib, …), so that a name or a command is seen
// however it is spelled.
//
// Honest code starts processes, evaluates text and opens connections. What
// tells malice is the flow: a text that is decoded, or comes over the network,
// and is executed; a command that is an attack by itself; a key that is read
// and sent; and when it happens. What runs the moment a file is imported runs
// without anybody asking for it ("hot"): statements of the module, the bodies
// of its classes, the functions they call, and the few methods that model
// servers and installers call by name.
package program

// Limits on one file.
const (
	maxText    = 1 << 20  // bytes of a computed string
	maxWork    = 64 << 20 // bytes of all computed strings
	maxKept    = 32 << 20 // bytes of strings kept in variables
	maxItems   = 1 << 16  // items kept of a sequence
	maxNames   = 1 << 16  // names bound, over all scopes
	maxFacts   = 2000
	maxMembers = 64
	maxInner   = 1 << 20 // bytes of programs inside the program
	maxNested  = 3       // of those inside each other
	maxEdges   = 1 << 18
	maxUnion   = 4 // values that a name may have
	maxApply   = 16
)
