package policy

import (
	"testing"

	"modelwall/scan"
)

var defaults = Rules{Malicious: Block, Suspicious: Quarantine, Undetermined: Quarantine, Clean: Allow}

func with(change func(*Rules)) Rules {
	r := defaults
	change(&r)
	return r
}

func TestFile(t *testing.T) {
	monitor := with(func(r *Rules) { r.Monitor = true })
	lenient := with(func(r *Rules) { r.Undetermined = Allow })
	for name, c := range map[string]struct {
		rules Rules
		facts Facts
		want  string
		rule  string
		serve bool
	}{
		"clean":                           {defaults, Facts{Verdict: scan.Clean}, "allow", "policy.clean", true},
		"suspicious":                      {defaults, Facts{Verdict: scan.Suspicious, Worst: scan.SeveritySuspicious}, "quarantine", "policy.suspicious", false},
		"malicious":                       {defaults, Facts{Verdict: scan.Malicious, Worst: scan.SeverityMalicious}, "block", "policy.malicious", false},
		"zero facts":                      {defaults, Facts{}, "quarantine", "policy.undetermined", false},
		"zero rules":                      {Rules{}, Facts{Verdict: scan.Clean}, "block", "policy.clean", false},
		"unknown verdict":                 {defaults, Facts{Verdict: 99}, "quarantine", "policy.undetermined", false},
		"undetermined may be let through": {lenient, Facts{}, "allow", "policy.undetermined", true},
		"but not with a finding":          {lenient, Facts{Worst: scan.SeveritySuspicious}, "quarantine", "policy.suspicious", false},
		"nor with a malicious one":        {lenient, Facts{Worst: scan.SeverityMalicious}, "block", "policy.malicious", false},
		"a low finding changes nothing":   {defaults, Facts{Verdict: scan.Clean, Worst: scan.Low}, "allow", "policy.clean", true},
		"a severity beyond the highest":   {defaults, Facts{Verdict: scan.Clean, Worst: 200}, "block", "policy.malicious", false},
		"released":                        {defaults, Facts{Verdict: scan.Malicious, Released: true}, "allow", "quarantine release", true},
		"monitor serves":                  {monitor, Facts{Verdict: scan.Malicious}, "would_block", "policy.malicious", true},
		"monitor, quarantine":             {monitor, Facts{}, "would_quarantine", "policy.undetermined", true},
		"monitor, clean":                  {monitor, Facts{Verdict: scan.Clean}, "allow", "policy.clean", true},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.rules.File(c.facts)
			if d.String() != c.want || d.Rule != c.rule || d.Action.Serves() != c.serve {
				t.Errorf("File(%+v) = %v by %s (serves %v), want %s by %s (%v)",
					c.facts, d, d.Rule, d.Action.Serves(), c.want, c.rule, c.serve)
			}
		})
	}
}

func TestRepo(t *testing.T) {
	deny := with(func(r *Rules) { r.DenyRepos = []string{"evil/*", "*/backdoor"} })
	allow := with(func(r *Rules) { r.AllowRepos = []string{"acme/*", "datasets/acme/*"} })
	both := with(func(r *Rules) { r.AllowRepos = []string{"acme/*"}; r.DenyRepos = []string{"acme/old"} })
	for _, c := range []struct {
		name  string
		rules Rules
		repo  string
		want  string
	}{
		{"no rules", defaults, "any/thing", "allow"},
		{"no rules, unknown repository", defaults, "", "allow"},
		{"denied", deny, "evil/model", "block"},
		{"denied in another case", deny, "Evil/Model", "block"},
		{"denied by name", deny, "any/backdoor", "block"},
		{"not denied", deny, "good/model", "allow"},
		{"star stops at a slash", deny, "datasets/evil/x", "allow"},
		{"unknown repository with a deny list", deny, "", "block"},
		{"allowed", allow, "acme/m", "allow"},
		{"allowed dataset", allow, "datasets/acme/d", "allow"},
		{"not allowed", allow, "other/m", "block"},
		{"unknown repository with an allow list", allow, "", "block"},
		{"deny wins", both, "acme/old", "block"},
		{"deny does not spread", both, "acme/new", "allow"},
		{"monitor", with(func(r *Rules) { r.DenyRepos = []string{"evil/*"}; r.Monitor = true }), "evil/m", "would_block"},
	} {
		if got := c.rules.Repo(c.repo); got.String() != c.want {
			t.Errorf("%s: Repo(%q) = %v by %s, want %s", c.name, c.repo, got, got.Rule, c.want)
		}
	}
}

func TestActionText(t *testing.T) {
	for want := Block; want <= Allow; want++ {
		var got Action
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Errorf("%v comes back as %v, %v", want, got, err)
		}
	}
	var a Action
	if err := a.UnmarshalText([]byte("pass")); err == nil {
		t.Error("an unknown action is accepted")
	}
}
