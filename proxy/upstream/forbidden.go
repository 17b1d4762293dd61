package upstream

import (
	"errors"
	"fmt"
	"net/netip"

	"modelwall/scan"
)

// ErrForbidden is the class of every refusal to connect that this package's
// rules make; the wrapping [AddressError] says what and why.
var ErrForbidden = errors.New("destination is forbidden")

// AddressError is a refused destination.
type AddressError struct {
	Address string // as asked for or, after DNS, as dialled; not escaped
	Reason  string // why, as a clause such as "port 22 is not allowed"
}

// Error quotes the address: it is the client's text.
func (e *AddressError) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrForbidden, scan.Quote(e.Address, maxHost+len(":65535")), e.Reason)
}

// Unwrap makes it an ErrForbidden.
func (e *AddressError) Unwrap() error { return ErrForbidden }

// block is a range of addresses that is not the public Internet.
type block struct {
	prefix netip.Prefix
	what   string
}

// blocks4 are the IPv4 ranges of the IANA special-purpose registry that are
// not globally reachable, and what else must not be asked on behalf of others.
func blocks4() []block {
	return parseBlocks([][2]string{
		{"0.0.0.0/8", "this network (RFC 791)"},
		{"10.0.0.0/8", "private (RFC 1918)"},
		{"100.64.0.0/10", "carrier-grade NAT (RFC 6598)"},
		{"127.0.0.0/8", "loopback"},
		{"169.254.169.254/32", "cloud metadata"},
		{"169.254.0.0/16", "link-local (RFC 3927)"},
		{"172.16.0.0/12", "private (RFC 1918)"},
		{"192.0.0.0/24", "protocol assignments (RFC 6890)"},
		{"192.0.2.0/24", "documentation (RFC 5737)"},
		{"192.88.99.0/24", "6to4 relay (RFC 7526)"},
		{"192.168.0.0/16", "private (RFC 1918)"},
		{"198.18.0.0/15", "benchmarking (RFC 2544)"},
		{"198.51.100.0/24", "documentation (RFC 5737)"},
		{"203.0.113.0/24", "documentation (RFC 5737)"},
		{"224.0.0.0/4", "multicast"},
		{"240.0.0.0/4", "reserved or broadcast"},
		// A public address by number, but Azure answers there from inside
		// each virtual machine's host.
		{"168.63.129.16/32", "cloud metadata"},
	})
}

// blocks6 are the exceptions inside 2000::/3, the only part of IPv6 that is
// given out as public unicast, and names for what is met outside it.
func blocks6() []block {
	return parseBlocks([][2]string{
		{"::/128", "unspecified"},
		{"::1/128", "loopback"},
		{"64:ff9b:1::/48", "local-use NAT64 (RFC 8215)"},
		{"100::/64", "discard-only (RFC 6666)"},
		{"2001::/23", "protocol assignments and Teredo (RFC 2928, RFC 4380)"},
		{"2001:db8::/32", "documentation (RFC 3849)"},
		{"3fff::/20", "documentation (RFC 9637)"},
		{"fd00:ec2::254/128", "cloud metadata"},
		{"fc00::/7", "unique local (RFC 4193)"},
		{"fe80::/10", "link-local"},
		{"fec0::/10", "site-local (RFC 3879)"},
		{"ff00::/8", "multicast"},
	})
}

func parseBlocks(rows [][2]string) []block {
	var all []block
	for _, r := range rows {
		all = append(all, block{netip.MustParsePrefix(r[0]), r[1]})
	}
	return all
}

// rules judge addresses.
type rules struct {
	v4, v6         []block
	public6, nat64 netip.Prefix
	sixToFour      netip.Prefix
}

func newRules() *rules {
	return &rules{
		v4:        blocks4(),
		v6:        blocks6(),
		public6:   netip.MustParsePrefix("2000::/3"),
		nat64:     netip.MustParsePrefix("64:ff9b::/96"),
		sixToFour: netip.MustParsePrefix("2002::/16"),
	}
}

// fault says what keeps a from being a public unicast address; "" means
// nothing does.
func (r *rules) fault(a netip.Addr) string {
	if !a.IsValid() {
		return "it is no IP address"
	}
	if a.Zone() != "" {
		return "an address with a zone is link-local"
	}
	if a.Is4() {
		return inBlocks(r.v4, a)
	}
	raw := a.As16()
	switch {
	case a.Is4In6():
		return embedded("an IPv4-mapped address", r.fault(a.Unmap()))
	case r.nat64.Contains(a): // 64:ff9b::a.b.c.d
		return embedded("a NAT64 address", r.fault(netip.AddrFrom4([4]byte(raw[12:16]))))
	case r.sixToFour.Contains(a): // 2002:aabb:ccdd::
		return embedded("a 6to4 address", r.fault(netip.AddrFrom4([4]byte(raw[2:6]))))
	}
	if f := inBlocks(r.v6, a); f != "" {
		return f
	}
	if !r.public6.Contains(a) {
		return "the address is not public unicast (outside 2000::/3)"
	}
	return ""
}

func inBlocks(blocks []block, a netip.Addr) string {
	for _, b := range blocks {
		if b.prefix.Contains(a) {
			return "the address is " + b.what
		}
	}
	return ""
}

func embedded(kind, fault string) string {
	if fault == "" {
		return ""
	}
	return "in " + kind + ", " + fault
}
