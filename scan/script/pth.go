package script

import (
	"context"
	"regexp"
	"strings"

	"modelwall/scan"
)

// matchPth: the name, as other .pth files are PyTorch's, and text.
func matchPth(p scan.Probe) bool {
	return ext(p.Name) == ".pth" && textual(p.Head) && hasImport(string(narrow(p.Head)))
}

func hasImport(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "import\t") {
			return true
		}
	}
	return false
}

// usual are the lines that setuptools and coverage write.
var usual = regexp.MustCompile(`^import (_?virtualenv|_?distutils_hack|__editable__\w+|coverage|zope\.\w+|a1_coverage|sys, ?types, ?os; ?has_mfs = |os; var = 'SETUPTOOLS_USE_DISTUTILS')`)

// site.py reads lines of any length; one of its files is short.
func scanPth(ctx context.Context, in *input) error {
	found := false
	err := in.segments(ctx, 0, func(b []byte, off int64) error {
		for line := range strings.SplitSeq(string(b), "\n") {
			if strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "import\t") {
				found = true
				sev := scan.SeveritySuspicious
				if usual.MatchString(line) && len(line) < 600 {
					sev = scan.Low
				}
				in.finding("pth.exec", sev, "code-execution", off, "Python executes this line at every start once the file lies in site-packages: "+scan.Quote(line, 120))
				if err := in.member(ctx, "line.py", line); err != nil {
					return err
				}
			}
			off += int64(len(line)) + 1
		}
		return nil
	})
	if err == nil && !found {
		return foreign("no line that is executed")
	}
	return err
}
