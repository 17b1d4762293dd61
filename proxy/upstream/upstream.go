package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"
)

// Options say how to get out.
type Options struct {
	// Proxy is the parent proxy: http://[user:password@]host[:port] or
	// https://…; nil means direct connections.
	Proxy *url.URL
	// CAFile is a PEM file of roots that are trusted besides the system's, for
	// servers and for an https:// parent; empty means none.
	CAFile string
	// Ports are the destination ports that may be connected to; empty means
	// 443 and 80. The parent's own port need not be among them.
	Ports []int
	// Resolver looks names up for direct connections and for the parent's
	// name; nil means net.DefaultResolver.
	Resolver *net.Resolver
	// Self are this process's own listeners. Not even the parent proxy may be
	// at one of them.
	Self []netip.AddrPort

	DialTimeout   time.Duration // DNS and TCP; 0 means 10 s
	TLSTimeout    time.Duration // a TLS handshake; 0 means 10 s
	HeaderTimeout time.Duration // a response's header, the parent's answer to CONNECT too; 0 means 30 s
}

const (
	defaultDial   = 10 * time.Second
	defaultTLS    = 10 * time.Second
	defaultHeader = 30 * time.Second

	// maxCAFile bounds the extra roots; a distribution's whole store has
	// some 220 KB.
	maxCAFile = 16 << 20
)

// Upstream opens connections within the rules. Its methods may be called
// concurrently.
type Upstream struct {
	ports     []int
	rules     *rules
	self      []netip.AddrPort
	local     func(netip.Addr) bool // whether an address is this machine's
	roots     *x509.CertPool
	parent    *parent // nil: direct
	dialer    net.Dialer
	tls       time.Duration
	header    time.Duration
	transport *http.Transport
	content   *http.Transport
}

// New checks the options. It connects to nothing.
func New(o Options) (*Upstream, error) {
	u := &Upstream{
		ports:  o.Ports,
		rules:  newRules(),
		self:   o.Self,
		local:  isLocal,
		tls:    orDefault(o.TLSTimeout, defaultTLS),
		header: orDefault(o.HeaderTimeout, defaultHeader),
	}
	if len(u.ports) == 0 {
		u.ports = []int{443, 80}
	}
	for _, p := range u.ports {
		if p < 1 || p > 65535 {
			return nil, fmt.Errorf("upstream: port %d is not from 1 to 65535", p)
		}
	}
	if o.DialTimeout < 0 || o.TLSTimeout < 0 || o.HeaderTimeout < 0 {
		return nil, errors.New("upstream: a time-out is negative")
	}
	var err error
	if u.roots, err = Roots(o.CAFile); err != nil {
		return nil, err
	}
	if o.Proxy != nil {
		if u.parent, err = newParent(o.Proxy); err != nil {
			return nil, err
		}
	}
	u.dialer = net.Dialer{
		Timeout:  orDefault(o.DialTimeout, defaultDial),
		Resolver: o.Resolver,
	}
	u.transport, u.content = u.newTransport(), u.newContent()
	return u, nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Allowed applies the rules that need no DNS to a host:port: the port, literal
// addresses, local names, odd spellings. nil means that a connection may be
// tried: the address that the name turns out to have can still be refused. An
// error is an ErrForbidden.
func (u *Upstream) Allowed(hostport string) error {
	_, err := u.parseDestination(hostport)
	return err
}

// Normal is Allowed and returns the one spelling of hostport that is dialled:
// lower case, no trailing dot. Who decides by name what to do with a
// destination must decide on this, or "HF.co.:443" is another host to them and
// the same one to the dialler.
func (u *Upstream) Normal(hostport string) (string, error) {
	d, err := u.parseDestination(hostport)
	if err != nil {
		return "", err
	}
	return d.String(), nil
}

// Transport sends requests to the origin servers. All callers share it and its
// idle connections, and must not change it. It checks each request's host
// before it is sent, reused connections included, and never sees the
// environment's proxies.
//
// Bodies are passed on as they are (nothing is decompressed). An error can be
// an ErrForbidden, an ErrParent, or a time-out (net.Error). A plain-HTTP
// response with status 407 is the parent proxy's and not the origin's; it must
// not be passed on, as a client would take it for ours.
func (u *Upstream) Transport() *http.Transport { return u.transport }

// Content is Transport for large bodies: each request has a connection of its
// own, over HTTP/1.1.
func (u *Upstream) Content() *http.Transport { return u.content }

// CloseIdleConnections closes what no request uses.
func (u *Upstream) CloseIdleConnections() {
	u.transport.CloseIdleConnections()
	u.content.CloseIdleConnections()
}

// Roots returns the system's trusted roots and those of a PEM file, "" for none.
func Roots(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("upstream: the system's trusted roots: %w", err)
	}
	if file == "" {
		return pool, nil
	}
	fail := func(err error) (*x509.CertPool, error) {
		return nil, fmt.Errorf("upstream: extra roots (upstream.ca_file) %s: %w", file, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCAFile+1))
	if err != nil {
		return fail(err)
	}
	if len(data) > maxCAFile {
		return fail(fmt.Errorf("it has more than %d bytes", maxCAFile))
	}
	n := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fail(fmt.Errorf("certificate %d: %w", n, err))
		}
		pool.AddCert(cert)
	}
	if n == 0 {
		return fail(errors.New("there is no PEM certificate in it"))
	}
	return pool, nil
}

// tlsConfig is the client side towards host.
func (u *Upstream) tlsConfig(host string, protocols ...string) *tls.Config {
	return &tls.Config{
		RootCAs:    u.roots,
		ServerName: host, // "" in the transport's, which fills it in
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
	}
}
