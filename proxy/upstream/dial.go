package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// DialTunnel connects to hostport for a tunnel whose content is not
// intercepted: directly, or by CONNECT through the parent. ctx bounds the
// dialling, not the connection, which the caller closes. It has CloseWrite.
//
// Errors are ErrForbidden, ErrParent, or those of net and of ctx.
func (u *Upstream) DialTunnel(ctx context.Context, hostport string) (net.Conn, error) {
	dest, err := u.parseDestination(hostport)
	if err != nil {
		return nil, err
	}
	if u.parent != nil {
		return u.connect(ctx, dest)
	}
	return u.dialDirect(ctx, dest)
}

// dialDirect resolves and connects. Each address that is tried is checked.
func (u *Upstream) dialDirect(ctx context.Context, dest destination) (net.Conn, error) {
	d := u.dialer
	d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return u.checkAddress(dest.String(), address)
	}
	return d.DialContext(ctx, "tcp", dest.String())
}

// dialParent connects to the parent proxy, whose address the configuration
// has chosen: only ourselves it must not be.
func (u *Upstream) dialParent(ctx context.Context) (net.Conn, error) {
	d := u.dialer
	d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return &AddressError{Address: address, Reason: "it is no IP address and port"}
		}
		if u.isSelf(ap) {
			return &AddressError{Address: u.parent.address, Reason: "the parent proxy is this process itself"}
		}
		return nil
	}
	return d.DialContext(ctx, "tcp", u.parent.address)
}

// checkAddress judges the address that is about to be connected to; asked is
// what it was resolved from.
func (u *Upstream) checkAddress(asked, address string) error {
	refuse := func(reason string) error {
		return &AddressError{Address: asked, Reason: fmt.Sprintf("it resolves to %s: %s", address, reason)}
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return refuse("it is no IP address and port")
	}
	if fault := u.rules.fault(ap.Addr()); fault != "" {
		return refuse(fault)
	}
	// A public address can be this machine's. What listens on it would see
	// our clients' requests come from itself, and it may be this process.
	if u.isSelf(ap) || u.local(ap.Addr()) {
		return refuse("the address is this machine's own")
	}
	return nil
}

// isSelf reports whether ap reaches one of our own listeners.
func (u *Upstream) isSelf(ap netip.AddrPort) bool {
	addr := ap.Addr().Unmap()
	for _, s := range u.self {
		if s.Port() != ap.Port() {
			continue
		}
		own := s.Addr().Unmap()
		if own == addr || own.IsUnspecified() && (addr.IsLoopback() || addr.IsUnspecified() || u.local(addr)) {
			return true
		}
	}
	return false
}

// isLocal reports whether an interface of this machine has the address. Where
// interfaces can't be listed the answer is no: the address is public, and a
// loop through it ends at the clients' time-outs.
func isLocal(addr netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr.Unmap() {
			return true
		}
	}
	return false
}
