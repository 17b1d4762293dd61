package gate

import (
	"fmt"
	"strings"

	"modelwall/proxy/fetch"
	"modelwall/proxy/policy"
	"modelwall/scan"
)

// Denied is the Hub's own refusal, with the text and headers that explain it to
// this caller. A content host's is a plain *fetch.StatusError: anybody may have
// written what that says, so nothing of its text reaches a client.
type Denied struct{ *fetch.StatusError }

func (d *Denied) Unwrap() error { return d.StatusError }

// Refused is the error of a download that policy does not serve.
type Refused struct {
	Decision policy.Decision
	SHA256   string // "" when refused before the content was known
	Report   scan.Report
	// QuarantineID is the name under which a person finds the content, "" when
	// it is not kept.
	QuarantineID string
}

// Code is the short, stable name of the refusal for X-Error-Code.
func (r *Refused) Code() string {
	switch {
	case r.SHA256 == "":
		return "ModelwallRepositoryDenied"
	case r.Decision.Action == policy.Quarantine:
		return "ModelwallQuarantined"
	}
	return "ModelwallBlocked"
}

// Error says what, where, why, and the way out, in one line.
func (r *Refused) Error() string {
	if r.SHA256 == "" {
		return fmt.Sprintf("Modelwall does not allow this repository (%s). Ask whoever runs Modelwall here to change that rule.", r.Decision.Rule)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Modelwall %s this file: %s", past(r.Decision.Action), r.Report.Verdict)
	if f, ok := r.worst(); ok {
		fmt.Fprintf(&b, ", %s", f.Message)
		if f.Member != "" {
			fmt.Fprintf(&b, " in %s", scan.Quote(f.Member, 120))
		}
		fmt.Fprintf(&b, " at byte %d (%s)", f.Offset, f.Rule)
	} else if r.Report.Error != "" {
		fmt.Fprintf(&b, ", %s", r.Report.Error)
	}
	fmt.Fprintf(&b, ". Decided by %s; sha256 %s.", r.Decision.Rule, r.SHA256)
	if r.QuarantineID != "" {
		fmt.Fprintf(&b, " Quarantine id %s; whoever runs Modelwall here can release it after a review: modelwall quarantine release %s --reason \"...\"", r.QuarantineID, r.QuarantineID)
	} else {
		b.WriteString(" Do not load this file; prefer a safetensors version of the model.")
	}
	return b.String()
}

func past(a policy.Action) string {
	if a == policy.Quarantine {
		return "quarantined"
	}
	return "blocked"
}

// worst returns the first finding of the highest severity that decides
// verdicts.
func (r *Refused) worst() (scan.Finding, bool) {
	worst := r.Report.Worst()
	for _, f := range r.Report.Findings {
		if f.Severity == worst && worst >= scan.SeveritySuspicious {
			return f, true
		}
	}
	return scan.Finding{}, false
}
