package program

import (
	"context"
	"io"

	"modelwall/scan"
	"modelwall/scan/python/syntax"
)

// Options say how a program is run.
type Options struct {
	// Interactive is true for a program that nothing runs by itself: what it
	// would do on import counts as little as what it does when called.
	Interactive bool

	inner *innerBudget
}

// Fact is one thing a program does.
type Fact struct {
	What      string // the rule's name behind the format: "payload"
	Severity  scan.Severity
	Technique string
	Message   string
	Off       int64
}

// Member is something that a program carries and unpacks: a pickle, marshalled
// code.
type Member struct {
	Name string
	Data []byte
}

// Result is what a program does.
type Result struct {
	Facts   []Fact
	Members []Member
	Stats   syntax.Stats
	Errors  syntax.Errors
	// Torch is true for TorchScript, a language of its own.
	Torch bool
}

// Read judges the program that open gives the text of, as UTF-8 without a
// mark. It is opened twice. The error is the reader's own or the context's.
func Read(ctx context.Context, open func() io.Reader, o Options) (*Result, error) {
	return run(ctx, o, func(m *machine) *syntax.Parser { return syntax.NewParser(open(), m) })
}

// ReadString judges a short program. The error is the context's.
func ReadString(ctx context.Context, src string, o Options) (*Result, error) {
	return run(ctx, o, func(m *machine) *syntax.Parser { return syntax.NewStringParser(src, m) })
}

func run(ctx context.Context, o Options, parser func(*machine) *syntax.Parser) (*Result, error) {
	m := newMachine(ctx, o)
	for pass := range 2 {
		m.begin(pass)
		p := parser(m)
		if err := p.Run(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.result.Stats, m.result.Errors = p.Stats, p.Errors()
	}
	m.judge()
	return &m.result, nil
}
