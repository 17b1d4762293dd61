// Package policy turns a verdict into a decision: allow, warn, quarantine or
// block. It is a pure table: no I/O, no clock, no state, and each decision
// names the line that made it, so that a block can be explained to the person
// who meets it.
//
// Policy decides what happens to what was found. It never changes what was
// found: no repository is trusted so much that its files are judged less
// strictly.
package policy

import (
	"fmt"
	"path"
	"strings"

	"modelwall/scan"
)

// Action is what happens to a file. A smaller action is stricter, and the
// zero value is the strictest.
type Action uint8

// The actions.
const (
	Block      Action = iota // refuse; keep the record only
	Quarantine               // refuse; keep the content apart for review
	Warn                     // serve, and say so to the client
	Allow                    // serve
)

var actionNames = [...]string{"block", "quarantine", "warn", "allow"}

// String returns the lower-case name used in configuration and records.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Action) UnmarshalText(b []byte) error {
	for i, n := range actionNames {
		if n == string(b) {
			*a = Action(i)
			return nil
		}
	}
	return fmt.Errorf("unknown action %q (have allow, warn, quarantine, block)", b)
}

// Serves reports whether the content reaches the client.
func (a Action) Serves() bool { return a >= Warn && a <= Allow }

// Rules are the policy section of the configuration. The zero value blocks
// everything.
type Rules struct {
	// What each verdict leads to.
	Malicious, Suspicious, Undetermined, Clean Action
	// AllowRepos, when not empty, lists the only repositories that may be
	// downloaded from; DenyRepos are refused and win over AllowRepos. Globs as
	// of path.Match over "org/name" for models, "datasets/org/name" and
	// "spaces/org/name"; "*" does not cross a slash.
	AllowRepos, DenyRepos []string
	// Monitor serves everything and records what would have been refused.
	Monitor bool
}

// Facts are what a decision is made of.
type Facts struct {
	Verdict  scan.Verdict
	Worst    scan.Severity // the highest severity found, whatever the verdict
	Released bool          // a person released exactly this content from quarantine
}

// Decision is what the policy makes of the facts.
type Decision struct {
	Action Action
	// Would is what Action had been without monitor mode; equal to Action
	// otherwise.
	Would Action
	// Rule is the line of the policy that decided, as its configuration key:
	// "policy.malicious".
	Rule string
}

// String returns the word for records: the action, or "would_" and the action
// that monitor mode held back.
func (d Decision) String() string {
	if d.Action != d.Would {
		return "would_" + d.Would.String()
	}
	return d.Action.String()
}

// File decides about content with a verdict.
//
// A file that could not be examined whole may hold findings as well; it gets
// the stricter of what its verdict and what its worst finding lead to, so that
// a lenient line for one never opens a door for the other.
func (r Rules) File(f Facts) Decision {
	if f.Released {
		return Decision{Allow, Allow, "quarantine release"}
	}
	d := r.verdict(f.Verdict)
	switch {
	case f.Worst >= scan.SeverityMalicious: // one that is not known is no better
		d = stricter(d, r.verdict(scan.Malicious))
	case f.Worst >= scan.SeveritySuspicious:
		d = stricter(d, r.verdict(scan.Suspicious))
	}
	return r.monitored(d)
}

func (r Rules) verdict(v scan.Verdict) Decision {
	switch v {
	case scan.Clean:
		return Decision{r.Clean, r.Clean, "policy.clean"}
	case scan.Suspicious:
		return Decision{r.Suspicious, r.Suspicious, "policy.suspicious"}
	case scan.Malicious:
		return Decision{r.Malicious, r.Malicious, "policy.malicious"}
	default:
		return Decision{r.Undetermined, r.Undetermined, "policy.undetermined"}
	}
}

func stricter(a, b Decision) Decision {
	if b.Action < a.Action {
		return b
	}
	return a
}

// Repo decides about a repository before anything of it is fetched. An empty
// name means that the request can not be traced to a repository; when there
// are rules about repositories it can not be shown to keep them.
func (r Rules) Repo(name string) Decision {
	allow := Decision{Allow, Allow, ""}
	switch {
	case len(r.AllowRepos) == 0 && len(r.DenyRepos) == 0:
		return allow
	case Match(r.DenyRepos, name):
		return r.monitored(Decision{Block, Block, "policy.deny_repos"})
	case name == "" && len(r.AllowRepos) == 0:
		return r.monitored(Decision{Block, Block, "policy.deny_repos"})
	case len(r.AllowRepos) > 0 && !Match(r.AllowRepos, name):
		return r.monitored(Decision{Block, Block, "policy.allow_repos"})
	}
	return allow
}

func (r Rules) monitored(d Decision) Decision {
	if r.Monitor && !d.Action.Serves() {
		d.Action = Warn
	}
	return d
}

// Match reports whether a glob matches the name of a repository, without regard
// to case, as the Hub finds them. A malformed glob matches nothing; the
// configuration refuses it on load.
func Match(globs []string, name string) bool {
	name = strings.ToLower(name)
	for _, g := range globs {
		if ok, err := path.Match(strings.ToLower(g), name); ok && err == nil {
			return true
		}
	}
	return false
}
