package mitm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"
)

// handSigned is what a thief of the key would do: sign whatever they like.
func handSigned(t *testing.T, ca *CA, change func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(99),
		Subject:      pkix.Name{Organization: []string{"thief"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		SubjectKeyId: []byte{1, 2, 3},
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestStolenKeyIsGoodForLittle(t *testing.T) {
	ca := openTest(t)
	for _, c := range []struct {
		name   string
		change func(*x509.Certificate)
		usage  x509.ExtKeyUsage
		reason x509.InvalidReason // -1: verification passes
	}{
		{"a name inside", func(c *x509.Certificate) { c.DNSNames = []string{"x.hf.co"} }, x509.ExtKeyUsageServerAuth, -1},
		{"another name", func(c *x509.Certificate) { c.DNSNames = []string{"evil.com"} }, x509.ExtKeyUsageServerAuth, x509.CANotAuthorizedForThisName},
		{"another besides", func(c *x509.Certificate) { c.DNSNames = []string{"hf.co", "evil.com"} }, x509.ExtKeyUsageServerAuth, x509.CANotAuthorizedForThisName},
		{"a name that ends alike", func(c *x509.Certificate) { c.DNSNames = []string{"evilhf.co"} }, x509.ExtKeyUsageServerAuth, x509.CANotAuthorizedForThisName},
		{"IPv4", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1).To4()} }, x509.ExtKeyUsageServerAuth, x509.CANotAuthorizedForThisName},
		{"IPv6", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::1")} }, x509.ExtKeyUsageServerAuth, x509.CANotAuthorizedForThisName},
		{"client certificate", func(c *x509.Certificate) {
			c.DNSNames, c.ExtKeyUsage = []string{"hf.co"}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, x509.ExtKeyUsageClientAuth, x509.IncompatibleUsage},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert, _ := handSigned(t, ca, c.change)
			roots := x509.NewCertPool()
			roots.AddCert(ca.cert)
			_, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{c.usage}})
			if c.reason == -1 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var invalid x509.CertificateInvalidError
			if !errors.As(err, &invalid) || invalid.Reason != c.reason {
				t.Errorf("error %v, want reason %d", err, c.reason)
			}
		})
	}
}
