package mitm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// maxPEM bounds ca.pem and ca-key.pem; ours have less than 2 KB.
const maxPEM = 64 << 10

// loadKey reads the CA's key. There being no such file is (nil, nil).
func loadKey(path string) (*ecdsa.PrivateKey, error) {
	der, err := loadPEM(path, pemKey, func(mode fs.FileMode) error {
		// Windows has no such bits: there the folder's access list decides.
		if runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 {
			return unusable("the key %s has mode %04o and can be read by others, who may have copied it: "+
				"`chmod 600` it if they are trusted, otherwise delete its folder, start again and trust the new certificate (`modelwall ca install`)", path, mode.Perm())
		}
		return nil
	})
	if der == nil || err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, unusable("the key %s is damaged (%w): put back a copy, or delete its folder and start again", path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, unusable("the key %s is not an ECDSA key on P-256: Modelwall uses only keys that it made itself", path)
	}
	return key, nil
}

// loadCert reads the CA's certificate. There being no such file is (nil, nil).
func loadCert(path string) (*x509.Certificate, error) {
	der, err := loadPEM(path, pemCert, func(fs.FileMode) error { return nil })
	if der == nil || err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, unusable("the certificate %s is damaged (%w): put back a copy, or delete its folder and start again", path, err)
	}
	return cert, nil
}

// loadPEM reads a file that holds one PEM block and nothing else. The mode is
// judged on the open file, so that it is that of the bytes that are read.
func loadPEM(path, kind string, judge func(fs.FileMode) error) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mitm: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("mitm: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, unusable("%s is not a regular file", path)
	}
	if err := judge(info.Mode()); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, fmt.Errorf("mitm: read %s: %w", path, err)
	}
	block, rest := pem.Decode(data)
	if len(data) > maxPEM || block == nil || block.Type != kind || len(bytes.TrimSpace(rest)) != 0 {
		return nil, unusable("%s is damaged, it does not hold exactly one PEM block of type %s: put back a copy, or delete its folder and start again", path, kind)
	}
	return block.Bytes, nil
}

// check refuses a CA that clients would refuse, or that could do more than one
// that createCert makes.
func (ca *CA) check() error {
	path, cert := ca.CertFile(), ca.cert
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !pub.Equal(&ca.key.PublicKey) {
		return unusable("%s and its key %s do not belong together: put back the right one, or %s", path, keyName, ca.startOver())
	}
	now := ca.now()
	if now.After(cert.NotAfter) {
		return unusable("%s has expired on %s: %s", path, cert.NotAfter.Format(time.DateOnly), ca.startOver())
	}
	if now.Before(cert.NotBefore) {
		return unusable("%s is not valid before %s but the clock says %s: set the clock", path,
			cert.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if fault := shapeFault(cert); fault != "" {
		return unusable("%s was not made by Modelwall (%s): %s", path, fault, ca.startOver())
	}
	var outside []string
	for _, s := range ca.suffixes {
		if !underAny(s, cert.PermittedDNSDomains) {
			outside = append(outside, s)
		}
	}
	if len(outside) > 0 {
		return unusable("%s is constrained to %s, so clients would refuse it for %s: %s, or stop intercepting them", path,
			quoted(cert.PermittedDNSDomains), quoted(outside), ca.startOver())
	}
	return nil
}

// shapeFault says what keeps cert from being what signCA makes.
func shapeFault(cert *x509.Certificate) string {
	switch {
	case cert.CheckSignatureFrom(cert) != nil:
		return "it is not self-signed by a certificate authority's key"
	case !cert.IsCA || !cert.BasicConstraintsValid || !cert.MaxPathLenZero:
		return "it is no certificate authority with path length 0"
	case cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign:
		return "its key usage is another"
	case !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) || len(cert.UnknownExtKeyUsage) != 0:
		return "its extended key usage is not that of servers alone"
	case len(cert.SubjectKeyId) == 0 || !bytes.Equal(cert.SubjectKeyId, cert.AuthorityKeyId):
		return "its key identifiers are missing or differ"
	case !cert.PermittedDNSDomainsCritical || len(cert.PermittedDNSDomains) == 0 || slices.Contains(cert.PermittedDNSDomains, ""):
		return "it has no critical name constraint"
	case len(cert.PermittedIPRanges) != 0 || !slices.EqualFunc(cert.ExcludedIPRanges, anyAddress(), sameNet):
		return "it may certify IP addresses"
	}
	return ""
}

// sameNet compares the text forms: a parsed IPv6 range and a made one may
// differ in how they are held.
func sameNet[T fmt.Stringer](a, b T) bool { return strings.EqualFold(a.String(), b.String()) }
