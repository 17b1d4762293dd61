package storetest

import (
	"context"
	"testing"

	"modelwall/proxy/store"
	"modelwall/scan"
)

func verdicts(t *testing.T, open func() Store) {
	ctx := context.Background()
	a, b := open(), open()
	for _, v := range []scan.Verdict{scan.Undetermined, scan.Clean, scan.Suspicious, scan.Malicious} {
		want := Verdict(sha(v.String()), v)
		if _, ok, err := a.Verdict(ctx, want.SHA256, want.Fingerprint); ok || err != nil {
			t.Errorf("%v before it was put: %v, %v", v, ok, err)
		}
		must(t, a.PutVerdict(ctx, want))
		for name, s := range map[string]Store{"same": a, "other": b} {
			got, ok, err := s.Verdict(ctx, want.SHA256, want.Fingerprint)
			must(t, err)
			if !ok {
				t.Fatalf("%v is not known to the %s store", v, name)
			}
			equal(t, name+" store", got, want)
		}
		got, ok, err := a.Verdict(ctx, want.SHA256, want.Fingerprint+" newer")
		must(t, err)
		if ok || got.Verdict != scan.Undetermined {
			t.Errorf("%v is known under another fingerprint", v)
		}
	}
	must(t, a.Close())
	must(t, b.Close())
	if _, ok, err := open().Verdict(ctx, sha("clean"), "pickle/1 zip/2"); !ok || err != nil {
		t.Errorf("after all have closed: %v, %v", ok, err)
	}
}

func worstStays(t *testing.T, open func() Store) {
	ctx := context.Background()
	s := open()
	tests := []struct{ had, put, want scan.Verdict }{
		{scan.Undetermined, scan.Clean, scan.Clean},
		{scan.Undetermined, scan.Malicious, scan.Malicious},
		{scan.Clean, scan.Undetermined, scan.Clean},
		{scan.Clean, scan.Suspicious, scan.Suspicious},
		{scan.Suspicious, scan.Clean, scan.Suspicious},
		{scan.Suspicious, scan.Malicious, scan.Malicious},
		{scan.Malicious, scan.Undetermined, scan.Malicious},
		{scan.Malicious, scan.Clean, scan.Malicious},
	}
	for _, tt := range tests {
		name := sha(tt.had.String() + tt.put.String())
		must(t, s.PutVerdict(ctx, Verdict(name, tt.had)))
		must(t, s.PutVerdict(ctx, Verdict(name, tt.put)))
		got, _, err := s.Verdict(ctx, name, "pickle/1 zip/2")
		must(t, err)
		equal(t, tt.had.String()+" then "+tt.put.String(), got, Verdict(name, tt.want))
	}
	again := Verdict(sha("again"), scan.Clean)
	must(t, s.PutVerdict(ctx, again))
	again.InspectedAt = when(9)
	must(t, s.PutVerdict(ctx, again))
	got, _, err := s.Verdict(ctx, again.SHA256, again.Fingerprint)
	must(t, err)
	equal(t, "the later of two equal verdicts", got, again)
}

func verdictRefused(t *testing.T, open func() Store) {
	s := open()
	for name, change := range map[string]func(*store.VerdictRecord){
		"no hash":                func(r *store.VerdictRecord) { r.SHA256 = "" },
		"upper-case hash":        func(r *store.VerdictRecord) { r.SHA256 = repeat("AB", 32) },
		"path for a hash":        func(r *store.VerdictRecord) { r.SHA256 = "../" + repeat("a", 61) },
		"no fingerprint":         func(r *store.VerdictRecord) { r.Fingerprint = "" },
		"clean over a bad one":   func(r *store.VerdictRecord) { r.Verdict = scan.Clean },
		"a verdict nobody knows": func(r *store.VerdictRecord) { r.Verdict, r.Report.Verdict = 9, 9 },
		"negative size":          func(r *store.VerdictRecord) { r.Size = -1 },
	} {
		r := Verdict(sha("x"), scan.Malicious)
		change(&r)
		if err := s.PutVerdict(context.Background(), r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, ok, err := s.Verdict(context.Background(), "' OR 1=1 --", ""); ok || err != nil {
		t.Errorf("a verdict for no hash: %v, %v", ok, err)
	}
}

func largeReport(t *testing.T, open func() Store) {
	ctx := context.Background()
	s := open()
	r := Verdict(sha("large"), scan.Malicious)
	bad := r.Report.Findings[0]
	r.Report.Findings = nil
	for range 60 {
		r.Report.Findings = append(r.Report.Findings, scan.Finding{Rule: "x.low", Severity: scan.Low, Message: repeat("m", 100<<10)})
		r.Report.Imports = append(r.Report.Imports, scan.Import{Module: repeat("n", 100<<10)})
	}
	r.Report.Findings = append(r.Report.Findings, bad)
	must(t, s.PutVerdict(ctx, r))
	got, ok, err := s.Verdict(ctx, r.SHA256, r.Fingerprint)
	must(t, err)
	if !ok || got.Verdict != scan.Malicious || got.Report.Worst() != scan.SeverityMalicious || len(got.Report.Findings) >= 60 {
		t.Errorf("%v, verdict %v, worst %v, %d findings, %d imports", ok, got.Verdict, got.Report.Worst(), len(got.Report.Findings), len(got.Report.Imports))
	}
	notes := 0
	for _, f := range got.Report.Findings {
		if f.Rule == "store.shortened" {
			notes++
			equal(t, "note", f.Message, "the report was too large to keep: it had 61 findings and 61 imports")
		}
	}
	if notes != 1 {
		t.Errorf("%d notes that the report was shortened", notes)
	}
	if len(r.Report.Findings) != 61 || r.Report.Findings[60] != bad {
		t.Error("the caller's report was changed")
	}
}

func aliases(t *testing.T, open func() Store) {
	ctx := context.Background()
	a, b := open(), open()
	git := repeat("0123456789", 4)
	if _, ok, err := a.Alias(ctx, git, 5); ok || err != nil {
		t.Errorf("before it was put: %v, %v", ok, err)
	}
	must(t, a.PutAlias(ctx, git, 5, sha("one")))
	must(t, b.PutAlias(ctx, git, 5, sha("one")))
	got, ok, err := b.Alias(ctx, git, 5)
	if got != sha("one") || !ok || err != nil {
		t.Errorf("got %q, %v, %v", got, ok, err)
	}
	if _, ok, err := b.Alias(ctx, git, 6); ok || err != nil {
		t.Errorf("with another size: %v, %v", ok, err)
	}
	wantError(t, "another content under the same name", b.PutAlias(ctx, git, 5, sha("two")), store.ErrConflict)
	if got, _, _ := a.Alias(ctx, git, 5); got != sha("one") {
		t.Errorf("after the conflict: %q", got)
	}
	must(t, b.PutAlias(ctx, git, 6, sha("two")))
	for _, bad := range []string{"", git[1:], git + "0", "A" + git[1:]} {
		if err := a.PutAlias(ctx, bad, 5, sha("one")); err == nil {
			t.Errorf("accepted the git name %q", bad)
		}
	}
	if err := a.PutAlias(ctx, git, 7, "short"); err == nil {
		t.Error("accepted a short sha256")
	}
}
