package scan

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestZeroVerdictIsUndetermined(t *testing.T) {
	var v Verdict
	if v != Undetermined || (Report{}).Verdict != Undetermined {
		t.Error("the zero verdict passes for something else")
	}
}

func TestNamesRoundTrip(t *testing.T) {
	for v := Undetermined; v <= Malicious; v++ {
		b, err := json.Marshal(v)
		var back Verdict
		if err != nil || json.Unmarshal(b, &back) != nil || back != v {
			t.Errorf("verdict %d: %s comes back as %v, %v", v, b, back, err)
		}
	}
	for s := Info; s <= SeverityMalicious; s++ {
		b, err := json.Marshal(s)
		var back Severity
		if err != nil || json.Unmarshal(b, &back) != nil || back != s {
			t.Errorf("severity %d: %s comes back as %v, %v", s, b, back, err)
		}
	}
	var v Verdict
	var s Severity
	if v.UnmarshalText([]byte("pass")) == nil || s.UnmarshalText([]byte("none")) == nil {
		t.Error("an unknown name is accepted")
	}
	if got := Verdict(9).String() + Severity(9).String(); got != "verdict(9)severity(9)" {
		t.Errorf("unknown values print as %q", got)
	}
}

func TestErrorKeepsClassAndCause(t *testing.T) {
	for class, err := range map[error]error{
		ErrMalformed: Malformed(7, "header: %w", io.ErrUnexpectedEOF),
		ErrLimit:     Limit(7, "header: %w", io.ErrUnexpectedEOF),
	} {
		if !errors.Is(err, class) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v lost its class or cause", err)
		}
		if !strings.Contains(err.Error(), "at byte 7: header") {
			t.Errorf("%q does not say where and what", err)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"os.system", 20, `"os.system"`},
		{"os.system", 9, `"os.system"`},
		{"os.system", 8, `"os.syste"...`},
		{"a\n\x1b[31m\"", 20, `"a\n\x1b[31m\""`},
		{"é", 1, `""...`}, // a rune is not cut in two
		{"\xff\xfe", 2, `"\xff\xfe"`},
		{"", 0, `""`},
	} {
		if got := Quote(c.in, c.limit); got != c.want {
			t.Errorf("Quote(%q, %d) = %s, want %s", c.in, c.limit, got, c.want)
		}
	}
}

func TestWorst(t *testing.T) {
	if w := (Report{}).Worst(); w != Info {
		t.Errorf("no findings: %v", w)
	}
	r := Report{Findings: []Finding{{Severity: Low}, {Severity: SeverityMalicious}, {Severity: SeveritySuspicious}}}
	if w := r.Worst(); w != SeverityMalicious {
		t.Errorf("Worst = %v", w)
	}
}
