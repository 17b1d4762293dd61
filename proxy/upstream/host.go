package upstream

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Bounds of RFC 1035 section 2.3.4, without the trailing dot.
const (
	maxHost  = 253
	maxLabel = 63
)

// destination is a host and port that passed the checks before DNS.
type destination struct {
	host string // lower case, no trailing dot, no brackets
	port uint16
}

// String is the host:port form, with brackets around an IPv6 address.
func (d destination) String() string {
	return net.JoinHostPort(d.host, strconv.Itoa(int(d.port)))
}

// parseDestination applies the rules that need no DNS.
func (u *Upstream) parseDestination(hostport string) (destination, error) {
	refuse := func(format string, args ...any) (destination, error) {
		return destination{}, &AddressError{Address: hostport, Reason: fmt.Sprintf(format, args...)}
	}
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return refuse("it is not host:port")
	}
	// One spelling of each: no sign, no leading zero.
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || strconv.FormatUint(port, 10) != portText {
		return refuse("its port is not a number from 1 to 65535")
	}
	if !slices.Contains(u.ports, int(port)) {
		return refuse("port %d is not allowed", port)
	}
	if strings.HasPrefix(hostport, "[") != strings.Contains(host, ":") {
		return refuse("brackets are for IPv6 addresses")
	}
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return refuse("it is not a valid IPv6 address")
		}
		if fault := u.rules.fault(addr); fault != "" {
			return refuse("%s", fault)
		}
		return destination{addr.String(), uint16(port)}, nil
	}
	host, fault := normalHost(host)
	if fault != "" {
		return refuse("%s", fault)
	}
	if endsNumeric(host) {
		// Only the dotted form with four decimal numbers. To inet_aton(3),
		// and so to many resolvers, 127.1 and 0x7f000001 are addresses too.
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return refuse("it is neither a DNS name nor an IPv4 address of four decimal numbers")
		}
		if fault := u.rules.fault(addr); fault != "" {
			return refuse("%s", fault)
		}
		return destination{host, uint16(port)}, nil
	}
	if fault := localName(host); fault != "" {
		return refuse("%s", fault)
	}
	return destination{host, uint16(port)}, nil
}

// normalHost lower-cases a DNS name or dotted IPv4 address and drops one
// trailing dot.
func normalHost(host string) (name, fault string) {
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > maxHost {
		return "", fmt.Sprintf("the host's length is not 1 to %d", maxHost)
	}
	b := []byte(host)
	label := 0 // length so far
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c + ('a' - 'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '.':
			if label == 0 {
				return "", "the host has an empty label"
			}
			label = -1
		default:
			// Not even letters beyond ASCII: net/http would map a full-width
			// "127.0.0.1" to the address after this check.
			return "", "the host has a character that no host name has"
		}
		if label++; label > maxLabel {
			return "", fmt.Sprintf("the host has a label longer than %d", maxLabel)
		}
	}
	if label == 0 {
		return "", "the host has an empty label"
	}
	return string(b), ""
}

// endsNumeric reports whether the last label is a number as inet_aton(3) and
// the URL standard's host parser see it. No top-level domain is one.
func endsNumeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// localName says why a name means something inside this machine or site. The
// check after DNS would find most of these out, but behind a parent proxy there
// is none.
func localName(host string) string {
	labels := strings.Split(host, ".")
	if len(labels) == 1 {
		// Includes localhost, and "metadata" with the search list of a cloud.
		return "a name of one label is this machine's or this site's"
	}
	switch labels[len(labels)-1] {
	case "localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "private", "svc", "invalid":
		return fmt.Sprintf("names under %q are this machine's or this site's", labels[len(labels)-1])
	}
	if host == "home.arpa" || strings.HasSuffix(host, ".home.arpa") {
		return `names under "home.arpa" are this site's (RFC 8375)`
	}
	return ""
}
