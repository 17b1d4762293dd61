package mitm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"modelwall/scan"
)

// Bounds of RFC 1035 section 2.3.4, without the trailing dot.
const (
	maxName  = 253
	maxLabel = 63
)

// normalHost is the one spelling of a DNS name: lower case, no trailing dot.
// It refuses whatever could mean something else to somebody: addresses, ports,
// wildcards, names that are not ASCII (clients send those in their A-label
// form).
func normalHost(host string) (string, error) {
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > maxName {
		return "", fmt.Errorf("%s is not a DNS name: its length is not 1 to %d", quote(host), maxName)
	}
	labels := strings.Split(lower(name), ".")
	for _, l := range labels {
		if err := checkLabel(l); err != nil {
			return "", fmt.Errorf("%s is not a DNS name: %w", quote(host), err)
		}
	}
	// No top-level domain is numeric, but each IPv4 address ends so, in each
	// of its spellings.
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return "", fmt.Errorf("%s is not a DNS name: it ends like an IP address", quote(host))
	}
	return strings.Join(labels, "."), nil
}

func checkLabel(l string) error {
	if l == "" || len(l) > maxLabel {
		return fmt.Errorf("a label's length is not 1 to %d", maxLabel)
	}
	if l[0] == '-' || l[len(l)-1] == '-' {
		return errors.New("a label begins or ends with a hyphen")
	}
	for i := range len(l) {
		switch c := l[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return errors.New("a label has a character other than letters, digits, hyphen and underscore")
		}
	}
	return nil
}

// lower changes ASCII letters only: strings.ToLower maps some other letters to
// ASCII (the Kelvin sign becomes k), which would make two names one.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + ('a' - 'A')
		}
	}
	return string(b)
}

// normalSuffixes normalises the suffixes and drops those that another covers.
func normalSuffixes(in []string) ([]string, error) {
	var all []string
	for _, s := range in {
		n, err := normalHost(strings.TrimPrefix(strings.TrimPrefix(s, "*"), "."))
		if err != nil {
			return nil, fmt.Errorf("mitm: suffix to intercept: %w", err)
		}
		if !strings.Contains(n, ".") {
			return nil, fmt.Errorf("mitm: suffix to intercept: %s would cover a whole top-level domain: name the domain below it", quote(s))
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil, errors.New("mitm: no suffix to intercept: a certificate authority without name constraints is never made")
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		return slices.ContainsFunc(all, func(other string) bool { return other != s && under(s, other) })
	}), nil
}

// under reports whether name is suffix or below it; both normalised.
func under(name, suffix string) bool {
	rest, ok := strings.CutSuffix(name, suffix)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

func underAny(name string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return under(name, s) })
}

// quote renders a name that a client sent for messages and logs.
func quote(s string) string { return scan.Quote(s, maxName+1) }
