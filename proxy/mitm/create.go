package mitm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

const (
	// caLife is long because every renewal has to be brought to every client.
	caLife = 10 * 365 * 24 * time.Hour
	// backdate tolerates clients whose clock is behind.
	backdate = time.Hour
	// maxCN is ub-common-name of RFC 5280 appendix A.
	maxCN = 64
)

const (
	pemKey  = "PRIVATE KEY" // PKCS #8, RFC 5958
	pemCert = "CERTIFICATE"
)

// createKey makes the CA's key, or returns the one that somebody else put
// there first.
func createKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("mitm: make the key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("mitm: make the key: %w", err)
	}
	mine, err := createFile(path, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), 0o600, os.Link)
	if err != nil {
		return nil, err
	}
	if mine {
		return key, nil
	}
	key, err = loadKey(path)
	if err == nil && key == nil {
		err = fmt.Errorf("mitm: %s was there and is gone", path)
	}
	return key, err
}

// createCert makes the certificate for key, or returns the one that somebody
// else put there first.
func createCert(path string, key *ecdsa.PrivateKey, suffixes []string, now time.Time) (*x509.Certificate, error) {
	der, err := signCA(key, suffixes, now)
	if err != nil {
		return nil, fmt.Errorf("mitm: make the certificate: %w", err)
	}
	if _, err := createFile(path, pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: der}), 0o644, os.Link); err != nil {
		return nil, err
	}
	// Always what the file says: leaves take the issuer's name and key
	// identifier from the encoded certificate, not from a template.
	cert, err := loadCert(path)
	if err == nil && cert == nil {
		err = fmt.Errorf("mitm: %s was there and is gone", path)
	}
	return cert, err
}

// signCA makes the self-signed certificate that the package comment describes.
func signCA(key *ecdsa.PrivateKey, suffixes []string, now time.Time) ([]byte, error) {
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // the name only helps a person to tell two CAs apart
	}
	template := &x509.Certificate{
		// SerialNumber is left out: CreateCertificate then draws a positive
		// one of at most 20 octets.
		Subject: pkix.Name{
			Organization: []string{"Modelwall"},
			CommonName:   caCommonName(host),
			// Trust stores find an issuer by its subject, so two CAs of one
			// machine must not share it.
			SerialNumber: hex.EncodeToString(id[:8]),
		},
		NotBefore:                   now.Add(-backdate),
		NotAfter:                    now.Add(caLife),
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLenZero:              true,
		SubjectKeyId:                id,
		AuthorityKeyId:              id, // self-signed: CreateCertificate would leave it out
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         suffixes,
		// A constraint on DNS names says nothing of addresses.
		ExcludedIPRanges: anyAddress(),
	}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

// caCommonName names the machine, as far as the name is plain and fits.
func caCommonName(hostname string) string {
	const before, after = "Modelwall CA (", ")"
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		}
		return -1
	}, hostname)
	if plain == "" {
		return "Modelwall CA"
	}
	return before + plain[:min(len(plain), maxCN-len(before)-len(after))] + after
}

// anyAddress is every IPv4 and every IPv6 address.
func anyAddress() []*net.IPNet {
	return []*net.IPNet{
		{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 8*net.IPv4len)},
		{IP: net.IPv6zero, Mask: net.CIDRMask(0, 8*net.IPv6len)},
	}
}

// keyID is a key identifier of RFC 7093 section 2, method 1: the first 160
// bits of the SHA-256 of the public key.
func keyID(pub *ecdsa.PublicKey) ([]byte, error) {
	point, err := pub.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(point)
	return sum[:20], nil
}
