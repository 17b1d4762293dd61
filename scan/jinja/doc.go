// Package jinja judges chat templates and every other text that a Jinja2
// environment would render.
//
// A chat template is a program. It comes as chat_template.jinja, as a string
// in tokenizer_config.json, or under tokenizer.chat_template in a GGUF file,
// and a library runs it as soon as the first message is sent. transformers
// does so in a sandbox; llama-cpp-python before 0.2.72 (CVE-2024-34359) and a
// long list of servers, notebooks and scripts do not. In an environment
// without a sandbox every Python attribute can be reached:
//
//	{{ cycler.__init__.__globals__.os.popen('id').read() }}
//
// An expression begins at a value that every template has (a literal, range,
// cycler, lipsum, self) and walks over attributes to a function's globals or
// to the list of all classes, and from there to any function of the process.
//
// How it is judged. The text is lexed as Jinja lexes it: delimiters, comments,
// raw blocks, whitespace control, strings with Python's escapes, operators
// with balanced brackets. Expressions and statements are parsed and evaluated
// over abstract values: constants are folded through ~ + % * and the filters
// and methods that build strings, through {% set %}, namespaces, loops, macros
// and captured blocks. What counts is the attribute that comes out, not how it
// is spelled: .x, ['x'], |attr('x'), |map(attribute='x'), '{0.x}'.format(), or
// a name that is put together from pieces. A name that can not be worked out
// although nothing but the template goes into it is suspicious by itself.
//
// Jinja compiles a whole template before it renders any of it, so a text with
// a syntax error is never executed. Such a text is not called a template, which
// is how LaTeX, Helm charts, Vue pages and source code that merely contain
// braces drop out; an expression in it that walks to Python's internals is
// still suspicious, in case some environment extends the syntax.
//
// Harmless, and reported as nothing or little: every filter, test, macro and
// namespace that the templates of known models use, include and import of
// relative names, __name__ and its like.
//
// The language: https://jinja.palletsprojects.com/templates/. What transformers
// adds: {% generation %}, {% break %}, {% continue %}, raise_exception,
// strftime_now. What a sandbox refuses: jinja2/sandbox.py.
package jinja
