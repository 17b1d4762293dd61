package script

import (
	"context"
	"regexp"
	"strings"

	"modelwall/scan"
	"modelwall/scan/script/shell"
)

var (
	// option is a line that only such lists have.
	option = regexp.MustCompile(`^(--?(index-url|extra-index-url|find-links|trusted-host|no-index|requirement|constraint|editable|pre|i|f|r|c|e)\b|git\+|hg\+|svn\+|bzr\+)`)
	// spec is a requirement by PEP 508, as far as its beginning goes.
	spec = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*($|[;#]|(==|>=|<=|~=|!=|<|>|@|===)\s*\S|\()`)
	link = regexp.MustCompile(`^([a-z]+\+)?(https?|ftp|file|git|ssh)://`)
)

// matchRequirements: a line that only such lists have in the head, or a name.
func matchRequirements(p scan.Probe) bool {
	if !textual(p.Head) {
		return false
	}
	name := base(p.Name)
	if e := ext(name); (e == ".txt" || e == ".in" || e == ".pip") && (strings.Contains(name, "requirement") || strings.Contains(name, "constraint")) {
		return true
	}
	for line := range strings.SplitSeq(string(narrow(p.Head)), "\n") {
		line = strings.TrimSpace(line)
		if option.MatchString(line) || strings.Contains(line, " @ ") && spec.MatchString(line) {
			return true
		}
	}
	return false
}

// A longer list than this is none.
const maxList = 4 << 20

func scanRequirements(ctx context.Context, in *input) error {
	if in.Size > maxList {
		return foreign("too long for a list of requirements")
	}
	b := make([]byte, in.Size)
	if err := in.read(b, 0); err != nil {
		return err
	}
	var r requirements
	off := int64(0)
	continued := ""
	for line := range strings.SplitSeq(string(narrow(b)), "\n") {
		if err := ctx.Err(); err != nil {
			return err
		}
		if cut, ok := strings.CutSuffix(strings.TrimRight(line, "\r"), `\`); ok && len(continued) < 4096 {
			continued += cut
		} else {
			r.line(strings.TrimSpace(continued+line), off)
			continued = ""
		}
		off += int64(len(line)) + 1
	}
	if r.other*4 > r.good {
		return foreign("most lines are no requirements")
	}
	for _, f := range r.found {
		in.sink.Finding(f)
	}
	return nil
}

// requirements reads the lines of a list.
type requirements struct {
	good, other int
	found       []scan.Finding
}

func (r *requirements) add(what string, sev scan.Severity, off int64, message string) {
	if len(r.found) < 100 {
		r.found = append(r.found, scan.Finding{Rule: "requirements." + what, Severity: sev, Technique: "supply-chain", Offset: off, Message: message})
	}
}

func (r *requirements) line(l string, off int64) {
	if i := strings.Index(l, " #"); i >= 0 {
		l = strings.TrimSpace(l[:i])
	}
	if l == "" || l[0] == '#' {
		return
	}
	switch {
	case option.MatchString(l):
		r.good++
		r.option(l, off)
	case link.MatchString(l):
		r.good++
		r.direct(l, off)
	case spec.MatchString(l):
		r.good++
		if _, url, ok := strings.Cut(l, "@"); ok && strings.Contains(url, "://") {
			r.direct(strings.TrimSpace(url), off)
		}
	case strings.HasPrefix(l, "./") || strings.HasPrefix(l, "../") || strings.HasSuffix(l, ".whl") || strings.HasPrefix(l, "--hash"):
		r.good++
	default:
		r.other++
	}
}

func (r *requirements) option(l string, off int64) {
	fields := strings.FieldsFunc(l, func(c rune) bool { return c == ' ' || c == '\t' || c == '=' })
	name, value := fields[0], ""
	if len(fields) > 1 {
		value = strings.TrimSpace(strings.TrimLeft(l[len(name):], " \t="))
	}
	switch strings.TrimLeft(name, "-") {
	case "index-url", "extra-index-url", "i", "find-links", "f":
		if !strings.Contains(value, "://") {
			return // a folder
		}
		switch shell.Judge(value) {
		case shell.Known, shell.Local:
			r.add("index", scan.Low, off, "packages come from "+scan.Quote(value, 120))
		case shell.Open:
			r.add("index", scan.Low, off, "packages come from "+scan.Quote(value, 120))
		default:
			r.add("index", scan.SeveritySuspicious, off, "packages come from an index that is not a usual one: "+scan.Quote(value, 120))
		}
	case "trusted-host":
		r.add("trusted_host", scan.Low, off, "the certificate of "+scan.Quote(value, 120)+" is not checked")
	case "e", "editable":
		r.direct(value, off)
	case "r", "requirement", "c", "constraint":
		if link.MatchString(value) {
			r.direct(value, off)
		} else if strings.HasPrefix(value, "/") || strings.Contains(value, "..") {
			r.add("path", scan.Low, off, "reads "+scan.Quote(value, 120))
		}
	default:
		if link.MatchString(l) {
			r.direct(l, off)
		}
	}
}

// direct judges a package that is taken from a URL.
func (r *requirements) direct(url string, off int64) {
	if !strings.Contains(url, "://") {
		return
	}
	address := url
	if _, rest, ok := strings.Cut(url, "+"); ok && link.MatchString(rest) {
		address = rest
	}
	if strings.HasPrefix(address, "file:") {
		r.add("path", scan.Low, off, "installs "+scan.Quote(url, 120))
		return
	}
	if _, rest, ok := strings.Cut(address, "ssh://git@"); ok {
		address = "ssh://" + rest
	}
	switch trust := shell.Judge(address); {
	case trust >= shell.Open || shell.Store(address):
		r.add("url", scan.Low, off, "installs a package from "+scan.Quote(url, 120))
	default:
		r.add("url", scan.SeveritySuspicious, off, "installs a package from a place that is not a usual one: "+scan.Quote(url, 120))
	}
}
