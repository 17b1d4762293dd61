// Package pickle follows what a Python unpickler would do with a file, without
// ever running one.
//
// A pickle is a program for a stack machine: opcodes push constants, collect
// them into containers, look up globals by module and name (GLOBAL, INST,
// STACK_GLOBAL, EXT) and call them (REDUCE, INST, OBJ, NEWOBJ, NEWOBJ_EX, and
// through methods BUILD, APPEND(S), SETITEM(S), ADDITEMS). So loading a pickle
// is running a program of its author, front to back: what stands before a
// break has been executed when the break is reached. The format is specified
// by Lib/pickletools.py and PEPs 307, 3154 and 574, and by nothing else than
// its loaders, which disagree in the details below.
//
// The machine here executes every opcode of protocols 0 to 5 on abstract
// values: constants by their place in the file, globals, results of calls,
// containers with what they first hold, persistent objects, and the unknown.
// Its memory is bounded: bodies of strings are skipped without being read, the
// memo keeps eight bytes for a value, and what falls to a bound becomes unknown.
// An unknown value in a place that matters is a finding, so nothing hides
// behind a bound.
//
// # What is reported
//
// Every global goes to Sink.Import as the file spells it. The tables in tables/
// say which are harmless, and used how; everything else is a finding. A name
// that executes code, reaches files or the network, or loads another pickle is
// malicious when it is merely imported, for no model needs it. Dotted names are
// followed through their attributes, dunder attributes are malicious, and names
// of Python 2 are judged as what Python 3 imports for them. An unlisted name is
// suspicious, or low when a known library merely names it. A break is the
// finding pickle.broken and an error of class scan.ErrMalformed.
//
// # Where loaders differ
//
// C is CPython's _pickle, Py its pickle.py (also the base of dill and joblib),
// Py2 both loaders of Python 2.7, W torch's weights-only loader. The union of
// the readings counts: the machine goes on where any of them does.
//
//	                         C               Py              Py2            here
//	FRAME inside an opcode   from memory and stops           no FRAME       both readings of C are followed,
//	                         peekable files                                 and pickle.frame is suspicious
//	                         reads on; from
//	                         other files
//	                         drops the rest
//	                         of the frame
//	                         (until 3.7 for
//	                         bytes bodies too)
//	FRAME beyond the end     stops           takes what      -              goes on
//	                                         there is
//	STOP inside a frame      next pickle     next pickle     -              both places are looked at
//	                         after STOP or   after the frame
//	                         the frame
//	last line without \n     stops           drops its last  as Py          as Py
//	                                         byte, goes on
//	PROTO above 5            stops           stops           stops at 3     goes on (W only warns)
//	PROTO late, repeated     taken           taken           taken          taken; fix_imports and dotted
//	                                                                        names are judged at any protocol
//	INT "010", "5\0junk",    8, 5, 0         stops           8, 5, 0        taken
//	  "\0junk"
//	INT "1_000", "0o17"      taken           taken           stops          taken
//	STRING 'a' with blanks   stops           stops           C takes it,    taken
//	  behind the quote                                       and bytes
//	                                                         above ASCII
//	                                                         for blanks
//	STRING, BINSTRING above  by encoding     by encoding     bytes          bytes, names as Latin-1
//	  ASCII
//	GLOBAL that is not UTF-8 stops           stops           taken          taken
//	INST that is not ASCII   stops           stops           taken          taken
//	memo key "01", " 1",     a number        a number        its text       both, and pickle.memo
//	  "-0"
//	memo key that is no      stops           stops           its text       kept by its text
//	  number
//	values below a mark      stops           stops           taken, or the  a mark object is taken, and
//	                                                         mark itself    pickle.mark is suspicious
//	a mark from memo, DUP    stops           stops           Py: a mark     a mark
//	SETITEMS, APPENDS with   stops           stops           Py: into the   goes on
//	  nothing below the mark                                 topmost value
//	INST without a mark      stops           imports, then   stops          imports behind a pickle
//	                                         stops
//	odd DICT, SETITEMS       stops           sets, stops     C drops one    goes on
//	negative lengths         stops           stops           stops at EOF   stops
//	length beyond the end    stops           EOF next        EOF next       stops
//	args that are no tuple   stops           iterates them   iterates them  the call counts
//	NEWOBJ of no type        stops           calls __new__   as Py          the call counts
//	PERSID, BINPERSID        stops without   the same        the same       a persistent object
//	                         persistent_load
//	EXT                      find_class by   the same        the same       unknown, or what the file
//	                         the registry                                   itself registered
//	joblib's raw arrays      opcodes         opcodes         opcodes        skipped as joblib does, and
//	                                                                        also followed as opcodes
//
// # Harmless names
//
// Allowed classes and functions are harmless with harmless arguments only, so
// what could be called later must not reach them: functions as direct
// arguments, instances that hold one (functools.partial, bound methods), and
// instances filled with attributes where Python's own containers would walk
// them. APPENDS and SETITEMS look up methods on the instance, so an instance
// whose attributes the file chose is code: picklers add list items, then dict
// items, then the state, right behind what makes the instance, and any other
// order is suspicious. What becomes harmful after it was judged (a container
// that something else already has) is reported where that happens.
//
// # Beyond the first pickle
//
// Behind STOP the file is looked at to its end: pickles in a row, torch's older
// format (whose raw storages are skipped when the pickles account for them),
// and pickles after anything else, found by PROTO or by the name of something
// dangerous. Bytes that a pickle hands to a loader go to Sink.Member.
//
// A pickle behind a few bytes that are none, such as a comment, is inert, but
// nobody has it by accident: it is reported if it fills the rest of the file,
// makes a call and would be quarantined by itself.
//
// A file that does not begin with PROTO and breaks before it called anything
// or imported something dangerous is of class scan.ErrForeign, without
// findings: most of those are texts and tensors.
package pickle
