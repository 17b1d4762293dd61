package mitm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"
)

const (
	// leafLife bounds how long a leaf that leaked out of memory is of use.
	leafLife = 7 * 24 * time.Hour
	// renewBefore is how much life a leaf that is handed out has left.
	renewBefore = 24 * time.Hour
)

type leaf struct {
	cert  *tls.Certificate
	renew time.Time // from then on another one is minted
}

func (l *leaf) usable(now time.Time) bool {
	return now.Before(l.renew) && !now.Before(l.cert.Leaf.NotBefore)
}

// Leaf returns a certificate for host, a DNS name without a port, with at
// least a day to live (less when the CA itself ends sooner). The certificate
// is shared: it must not be changed. A host that is no DNS name or is not
// inside the suffixes is refused with ErrHost.
func (ca *CA) Leaf(host string) (*tls.Certificate, error) {
	name, err := ca.certifiable(host)
	if err != nil {
		return nil, err
	}
	return ca.leafFor(name)
}

// certifiable returns the normal form of a host that the CA may sign for.
func (ca *CA) certifiable(host string) (string, error) {
	name, err := normalHost(host)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrHost, err)
	}
	if !underAny(name, ca.suffixes) {
		return "", fmt.Errorf("%w: %s is not inside %s", ErrHost, quote(name), quoted(ca.suffixes))
	}
	return name, nil
}

func (ca *CA) leafFor(name string) (*tls.Certificate, error) {
	if l, ok := ca.leaves.Get(name); ok && l.usable(ca.now()) {
		return l.cert, nil
	}
	v, err, _ := ca.minting.Do(name, func() (any, error) {
		now := ca.now()
		// Again: another minting may have ended between Get and Do.
		if l, ok := ca.leaves.Peek(name); ok && l.usable(now) {
			return l.cert, nil
		}
		l, err := ca.mint(name, now)
		if err != nil {
			return nil, err
		}
		ca.leaves.Add(name, l)
		return l.cert, nil
	})
	if err != nil {
		return nil, fmt.Errorf("mitm: certificate for %s: %w", quote(name), err)
	}
	return v.(*tls.Certificate), nil
}

// mint makes a key and certifies it for name.
func (ca *CA) mint(name string, now time.Time) (*leaf, error) {
	if now.After(ca.cert.NotAfter) {
		return nil, unusable("%s has expired on %s: %s", ca.CertFile(), ca.cert.NotAfter.Format(time.DateOnly), ca.startOver())
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	end := now.Add(leafLife)
	if end.After(ca.cert.NotAfter) {
		end = ca.cert.NotAfter
	}
	subject := pkix.Name{Organization: []string{"Modelwall"}}
	if len(name) <= maxCN { // for people: clients look at the SAN alone
		subject.CommonName = name
	}
	// The authority key identifier is taken from the CA's subject key
	// identifier; the serial number is drawn.
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		Subject:               subject,
		NotBefore:             now.Add(-backdate),
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, // not a CA
		SubjectKeyId:          id,
		DNSNames:              []string{name},
	}, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	renew := now.Add(leafLife - renewBefore)
	if renew.After(end) {
		renew = end
	}
	return &leaf{
		// Without the CA: who verifies has it, and who has it not would
		// gain nothing.
		cert:  &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed},
		renew: renew,
	}, nil
}

// ServerConfig is the server side of the TLS inside a CONNECT to host (without
// the port): the leaf of that host whatever server name the ClientHello asks
// for, TLS 1.2 or later, HTTP/2 or HTTP/1.1. For a host that Leaf refuses, the
// handshake fails with that error.
//
// All calls for one host share a configuration, as its session tickets are good
// for that host alone: a client that connects again can resume. It must not be
// changed (Clone it).
func (ca *CA) ServerConfig(host string) *tls.Config {
	name, err := ca.certifiable(host)
	if err != nil {
		return serverConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, err })
	}
	if c, ok := ca.configs.Get(name); ok {
		return c
	}
	c := serverConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.leafFor(name) })
	if earlier, ok, _ := ca.configs.PeekOrAdd(name, c); ok {
		return earlier
	}
	return c
}

func serverConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		GetCertificate: get,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}
