// Package upstream is the only way out of the process: every connection to
// the Hub, to a CDN or to a tunnelled host is dialled here, directly or
// through a parent proxy.
//
// # What is dangerous
//
// A proxy connects where its clients tell it to, from its own place in the
// network (server-side request forgery, CWE-918). A redirect, a DNS answer or
// a CONNECT can name the cloud's metadata service, a database on loopback, or
// the proxy itself. Names prove nothing: whoever owns a domain decides what it
// resolves to, and may answer differently the next time (DNS rebinding). So
// there are two checks:
//
//   - Before DNS, on the text: [Upstream.Allowed]. The port must be listed;
//     literal addresses must be public; names that mean this machine or this
//     site are refused; an address in an odd spelling ("0x7f.1",
//     "2130706433") is refused because resolvers of the C library would
//     understand it.
//   - After DNS, on the address: a control function of net.Dialer sees the
//     very address that connect(2) is about to get. Nothing lies between that
//     check and its use.
//
// What counts as public follows the IANA special-purpose address registries
// (RFC 6890); IPv6 addresses that carry an IPv4 address (mapped, NAT64, 6to4)
// are judged by that one too.
//
// # Parent proxy
//
// With a parent proxy, DNS is the parent's, and so is the second check: a
// public name that resolves to an address inside the parent's network is for
// the parent to refuse. Only the connection to the parent itself may go to a
// private address. HTTPS goes through CONNECT (RFC 9110 section 9.3.6), plain
// HTTP in absolute form (RFC 9112 section 3.2.2), Basic credentials (RFC 7617)
// go to the parent and to nobody else. An https:// parent is spoken to over
// TLS, always in HTTP/1.1.
//
// The environment (HTTPS_PROXY and the like) is never consulted: it often
// names this very process.
package upstream
