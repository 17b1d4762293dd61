// Package shell reads command lines as a POSIX shell (and bash) would split
// them, and judges what they do. Nothing is run.
//
// A shell executes a script line by line, so what stands before an error of
// syntax has run; the reader never gives up. It follows quotes, backslashes,
// $'…' escapes, here-documents, substitutions and variables that are set to
// constants, because each of them is used to write "curl" in a way that no
// search finds. Grammar beyond that (loops, cases, functions) only separates
// commands. The language is that of POSIX.1-2017, volume 3, chapter 2, and of
// the bash reference manual.
//
// What is an attack: a program from the network or from an encoded text that
// goes straight into an interpreter; a shell wired to a socket; keys and
// tokens that leave the machine; the destruction of files that are not the
// script's own. What a command is for decides, not its name: curl, rm and
// base64 are in every honest script.
package shell

import "modelwall/scan"

// Limits on one text.
const (
	maxWord     = 64 << 10 // bytes kept of one word
	maxWords    = 4096     // words kept of one command
	maxNested   = 2000     // substitutions and decoded texts looked into
	maxDepth    = 8        // of those inside each other
	maxCommands = 200_000
	maxVars     = 1000
)

// Fact is one thing a text does.
type Fact struct {
	What      string // the rule's name behind the format: "download_exec"
	Severity  scan.Severity
	Technique string
	Message   string
	Off       int64
}

// Program is a text in another language that a command runs: python -c '…'.
type Program struct {
	Language string
	Text     string
	Off      int64
}

// Report is what a text does.
type Report struct {
	Facts    []Fact
	Programs []Program
	// Unknown has the commands whose effect is not known, one line each, at
	// most a few. Commands that only look or prepare (git clone, pip install
	// from the usual places, mkdir) are not among them.
	Unknown []string
	// Commands counts all of them.
	Commands int
}

// Worst is the highest severity among the facts.
func (r *Report) Worst() scan.Severity {
	worst := scan.Info
	for _, f := range r.Facts {
		worst = max(worst, f.Severity)
	}
	return worst
}

// Read judges text as the content of a script, or a command line.
func Read(text string) *Report {
	j := &judge{report: &Report{}, vars: map[string]string{}}
	j.text(text, 0, 0)
	j.windows(text)
	return j.report
}

// Args judges one command that is given as its words, without a shell.
func Args(words []string) *Report {
	j := &judge{report: &Report{}, vars: map[string]string{}}
	c := command{}
	for _, w := range words {
		c.words = append(c.words, word{text: w, quoted: true})
	}
	j.pipeline([]command{c}, 0)
	j.windows(join(words))
	return j.report
}

func join(words []string) string {
	n := 0
	for _, w := range words {
		n += len(w) + 1
	}
	b := make([]byte, 0, n)
	for _, w := range words {
		b = append(append(b, w...), ' ')
	}
	return string(b)
}
