package mitm

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const (
	certName   = "ca.pem"
	keyName    = "ca-key.pem"
	bundleName = "bundle.pem"

	// defaultCacheSize is how many leaves are kept. The Hub has about twenty
	// host names; a leaf takes some 2 KB.
	defaultCacheSize = 256
)

// ErrUnusable is the class of what [Open] finds wrong with the files on disk:
// the message says what, and the way out. An operating system error (a folder
// that can not be made or read) is not of this class.
var ErrUnusable = errors.New("the certificate authority can not be used")

// ErrHost is the class of a refusal to certify a host: not a DNS name, or not
// inside the suffixes.
var ErrHost = errors.New("no certificate for this host")

// Options say where the CA lives and for whom it may sign.
type Options struct {
	// Dir holds ca.pem, ca-key.pem and bundle.pem. It is made with mode 0700.
	Dir string
	// Suffixes are the DNS names that may be intercepted, each with all names
	// below it. A leading "." or "*." means the same. At least one, each of two labels
	// or more.
	Suffixes []string
	// CacheSize is how many leaves are kept in memory; 0 means 256.
	CacheSize int
	// ExtraRoots is a PEM file of certificates for the bundle, such as those
	// of a corporate proxy; empty means none.
	ExtraRoots string
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// CA signs leaf certificates. Its methods may be called concurrently.
type CA struct {
	dir      string
	suffixes []string
	now      func() time.Time
	cert     *x509.Certificate
	key      *ecdsa.PrivateKey
	roots    int

	leaves  *lru.Cache[string, *leaf]
	configs *lru.Cache[string, *tls.Config]
	minting singleflight.Group
}

// Open loads the CA of o.Dir, makes it when there is none, and brings the
// trust bundle up to date. Processes that do so at the same time end with the
// same CA. Whatever it finds unusable it reports (ErrUnusable) and leaves
// alone: clients may trust that certificate already.
func Open(o Options) (*CA, error) {
	if o.Dir == "" {
		return nil, errors.New("mitm: no folder for the certificate authority")
	}
	dir, err := filepath.Abs(o.Dir) // the paths are handed to other programs
	if err != nil {
		return nil, fmt.Errorf("mitm: %w", err)
	}
	suffixes, err := normalSuffixes(o.Suffixes)
	if err != nil {
		return nil, err
	}
	size := o.CacheSize
	if size == 0 {
		size = defaultCacheSize
	}
	ca := &CA{dir: dir, suffixes: suffixes, now: o.Now}
	if ca.now == nil {
		ca.now = time.Now
	}
	if ca.leaves, err = lru.New[string, *leaf](size); err != nil {
		return nil, fmt.Errorf("mitm: leaf cache of %d: %w", size, err)
	}
	if ca.configs, err = lru.New[string, *tls.Config](size); err != nil {
		return nil, fmt.Errorf("mitm: leaf cache of %d: %w", size, err)
	}
	if err := ca.loadOrCreate(); err != nil {
		return nil, err
	}
	if ca.roots, err = writeBundle(ca.BundleFile(), ca.CertFile(), o.ExtraRoots, ca.cert.Raw); err != nil {
		return nil, err
	}
	return ca, nil
}

// Certificate is the CA's own certificate. It must not be changed.
func (ca *CA) Certificate() *x509.Certificate { return ca.cert }

// CertFile is the absolute path of ca.pem, the CA's certificate alone.
func (ca *CA) CertFile() string { return filepath.Join(ca.dir, certName) }

// BundleFile is the absolute path of bundle.pem: the system's roots, the extra
// roots and the CA.
func (ca *CA) BundleFile() string { return filepath.Join(ca.dir, bundleName) }

// BundleRoots is the number of certificates in the bundle besides the CA. With
// 0, a client that uses the bundle trusts no tunnelled host at all.
func (ca *CA) BundleRoots() int { return ca.roots }

// loadOrCreate fills in the certificate and the key.
//
// The key is made first and the certificate second, each appears whole and
// only if the name is free, and a certificate is always made for the key that
// is there. So there is no lock that a killed process could leave behind: a
// key alone is a creation that was cut short or is still under way elsewhere,
// and anyone may complete it; two that do so certify the same key, and the
// first certificate stays.
func (ca *CA) loadOrCreate() error {
	if err := makePrivateDir(ca.dir); err != nil {
		return err
	}
	certPath, keyPath := ca.CertFile(), filepath.Join(ca.dir, keyName)

	// In this order: a certificate that is seen had its key before.
	cert, err := loadCert(certPath)
	if err != nil {
		return err
	}
	key, err := loadKey(keyPath)
	if err != nil {
		return err
	}
	if cert != nil && key == nil {
		return unusable("%s is there but its key %s is not: put the key back, or %s", certPath, keyPath, ca.startOver())
	}
	if key == nil {
		if key, err = createKey(keyPath); err != nil {
			return err
		}
	}
	if cert == nil {
		if cert, err = createCert(certPath, key, ca.suffixes, ca.now()); err != nil {
			return err
		}
	}
	ca.cert, ca.key = cert, key
	return ca.check()
}

// startOver is the way out of each state that can not be repaired.
func (ca *CA) startOver() string {
	return fmt.Sprintf("delete the folder %s, start again, and trust the new certificate (`modelwall ca install`)", ca.dir)
}

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnusable, fmt.Errorf(format, args...))
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = quote(n)
	}
	return strings.Join(q, ", ")
}
