package hubtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// validity of the hub's certificates: longer than any test or demo runs, and
// short enough that a CA file somebody kept is soon worth nothing.
const validity = 24 * time.Hour

// authority is the hub's CA with one leaf for each host. The CA's private key
// is gone once the leaves are signed.
type authority struct {
	pem    []byte
	leaves map[string]*tls.Certificate
}

func newAuthority(hosts map[string]Role) (*authority, error) {
	names := make([]string, 0, len(hosts))
	for host := range hosts {
		names = append(names, host)
	}
	slices.Sort(names)
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl, err := certificateTemplate("modelwall test hub CA")
	if err != nil {
		return nil, err
	}
	tmpl.IsCA, tmpl.MaxPathLenZero = true, true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	tmpl.PermittedDNSDomainsCritical, tmpl.PermittedDNSDomains = true, names
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	// Parsed back, so that leaves carry the key id that was put into the CA.
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a := &authority{
		pem:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		leaves: make(map[string]*tls.Certificate, len(names)),
	}
	for _, host := range names {
		if a.leaves[host], err = newLeaf(host, ca, caKey); err != nil {
			return nil, fmt.Errorf("certificate for %s: %w", host, err)
		}
	}
	return a, nil
}

func certificateTemplate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity),
		BasicConstraintsValid: true,
	}, nil
}

func newLeaf(host string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl, err := certificateTemplate(host)
	if err != nil {
		return nil, err
	}
	tmpl.DNSNames = []string{host}
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// certificate answers a handshake; an unknown or missing name gets none.
func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	leaf, ok := a.leaves[strings.ToLower(hello.ServerName)]
	if !ok {
		return nil, fmt.Errorf("hubtest: no certificate for %q", hello.ServerName)
	}
	return leaf, nil
}
