package pickle

import (
	"errors"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

func TestBehindJunk(t *testing.T) {
	payload := "cos\nsystem\n(S\"echo pwned\"\ntR."
	for _, c := range []struct {
		name, data string
		worst      scan.Severity
	}{
		{"comment sign", "#" + payload, mal},
		{"comment", "# config v1\n" + payload + "\n", mal},
		{"byte order mark", "\xef\xbb\xbf" + payload, mal},
		{"token that is an opcode", "X" + payload, mal},
		{"binary", "\x00\x00\x00\x01" + string(cat(proto(4), stackGlob("os", "system"), sbu("id"), "\x85R.")), mal},
		{"obj", "//(cos\nsystem\nS'id'\no.", mal},
		{"inst", "; (S'id'\nios\nsystem\n.", mal},
		{"unlisted", "#cevil\nthing\n(tR.", sus},
	} {
		r, err := scantest.Scan(New(), "notes.txt", []byte(c.data))
		if err != nil || r.Worst() != c.worst || !New().Match(scantest.Probe("notes.txt", []byte(c.data))) {
			t.Errorf("%s: %v, %v, want %v: %+v", c.name, err, r.Worst(), c.worst, r.Findings)
		}
	}
	for _, c := range []struct{ name, data string }{
		{"a readme", "# My model\n\nA classifier of cats and dogs.\nIt is small. Load it with pickle.load.\n"},
		{"a source", "#!/usr/bin/env python3\nimport os\n\ndef main():\n    os.system('id')  # runs cos\n\nmain()\n# the end.\n"},
		{"a list of words", "words\ncos\nsystem\ntan\nsin\nend.\n"},
		{"a sentence", "We describe\ncos\nsystem\nand more.\n"},
		{"a tutorial", "# Why pickle is unsafe\n\n```\n" + payload + "\n```\n\nNever load what you do not trust.\n"},
		{"a tutorial in short", "Try this:\n" + payload + "\nand see what happens.\n"},
		{"a tutorial with code", "# Exploit\n\n```python\nimport pickle\npickle.loads(b\"cos\\nsystem\\n(S'id'\\ntR.\")\n```\nThat was it.\n"},
		{"a tutorial with a reduce", "# Attack\nclass E:\n    def __reduce__(self):\n        return os.system, ('id',)\n\nDone.\n"},
		{"a NumPy array of objects", "\x93NUMPY\x01\x00\x06\x00{'a'}\n" + string(cat(proto(2), glob("collections", "OrderedDict"), ")R."))},
		{"harmless data", "#" + string(cat(glob("collections", "OrderedDict"), ")R."))},
		{"far behind", strings.Repeat("# ", maxJunk) + payload},
		{"only an import", "#cos\nsystem\n."},
	} {
		r, err := scantest.Scan(New(), "notes.txt", []byte(c.data))
		if !errors.Is(err, scan.ErrForeign) || len(r.Findings)+len(r.Imports) > 0 {
			t.Errorf("%s: %v, %+v, %+v; want ErrForeign and nothing else", c.name, err, r.Imports, r.Findings)
		}
	}
}

func TestJunkCostsLittle(t *testing.T) {
	// Each beginning leads through the whole file and nowhere.
	data := []byte("#" + strings.Repeat("N0", 1<<19) + "c.")
	if _, err := scantest.Scan(New(), "x", data); !errors.Is(err, scan.ErrForeign) {
		t.Error(err)
	}
}
