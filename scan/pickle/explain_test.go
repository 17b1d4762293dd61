package pickle

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

func explain(t *testing.T, data []byte) (string, error) {
	t.Helper()
	var b strings.Builder
	err := New().Explain(context.Background(), scantest.Bytes("x", data), &b)
	return b.String(), err
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want string
		err  error
	}{
		{"call", cat("cos\nsystem\n(S'echo hi'\ntR."), `
0: import os.system
24: call os.system("echo hi")
`, nil},
		{"instance", cat(proto(4), stackGlob("collections", "OrderedDict"), ")\x94R", sbu("k"), "K\x01s}(", sbu("a"), "\x88u", "b."), `
28: import collections.OrderedDict
31: call collections.OrderedDict()
37: insert {"k": 1} into an instance made by collections.OrderedDict
45: build an instance made by collections.OrderedDict from {"a": True}
`, nil},
		{"keywords", cat(proto(4), glob("evil", "Class"), ")", dict(sbu("a"), "K\x01"), "\x92."), `
2: import evil.Class
23: make evil.Class() with {"a": 1}
`, nil},
		{"escaped", cat("cos\nsy\x1b[31mstem\n(S'\\x1b\\n'\ntR."), `
0: import os."sy\x1b[31mstem"
28: call os."sy\x1b[31mstem"("\x1b\n")
`, nil},
		{"break", cat(proto(2), glob("os", "system"), "\xff"), `
2: import os.system
13: stop: 0xff is no opcode
`, scan.ErrMalformed},
		{"behind another", cat(proto(2), "N.", glob("os", "system"), ")R."), `
4: import os.system
16: call os.system()
`, nil},
		{"behind a comment", cat("#", glob("os", "system"), ")R."), `
1: import os.system
13: call os.system()
`, nil},
		{"unknown callee", cat(proto(2), "NQ)R."), `
5: call a persistent object with ()
`, nil},
		{"data", cat(proto(2), "]K\x01a."), "\n", nil},
		{"no pickle", cat("hello\n"), "\n", scan.ErrForeign},
	} {
		got, err := explain(t, c.data)
		if diff := cmp.Diff(c.want[1:], got); diff != "" || !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v (-want +got):\n%s", c.name, err, c.err, diff)
		}
	}
}

func TestExplainIsBounded(t *testing.T) {
	for _, n := range []int{maxSteps - 1, maxSteps, maxSteps + 1, 3 * maxSteps} {
		got, err := explain(t, cat(proto(2), strings.Repeat(glob("os", "system"), n), "."))
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(got, "\n"); lines != min(n, maxSteps+1) || strings.Contains(got, "and more") != (n > maxSteps) {
			t.Errorf("%d steps: %d lines", n, lines)
		}
	}
}
