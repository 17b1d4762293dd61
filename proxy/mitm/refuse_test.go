package mitm

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOpenRefuses(t *testing.T) {
	at := &clock{time.Now()}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, ca *CA, o *Options)
		want  []string // in the message
	}{
		{"key readable by the group", func(t *testing.T, ca *CA, _ *Options) {
			chmod(t, filepath.Join(ca.dir, keyName), 0o640)
		}, []string{"ca-key.pem has mode 0640", "chmod 600"}},
		{"key readable by all", func(t *testing.T, ca *CA, _ *Options) {
			chmod(t, filepath.Join(ca.dir, keyName), 0o604)
		}, []string{"mode 0604"}},
		{"lone key readable by all", func(t *testing.T, ca *CA, _ *Options) {
			chmod(t, filepath.Join(ca.dir, keyName), 0o644)
			remove(t, ca.CertFile())
		}, []string{"mode 0644"}},
		{"folder writable by all", func(t *testing.T, ca *CA, _ *Options) {
			chmod(t, ca.dir, 0o777)
		}, []string{"others may write", "chmod go-w"}},
		{"certificate without key", func(t *testing.T, ca *CA, _ *Options) {
			remove(t, filepath.Join(ca.dir, keyName))
		}, []string{"ca-key.pem is not", "delete the folder", "modelwall ca install"}},
		{"key of another", func(t *testing.T, ca *CA, _ *Options) {
			copyFile(t, filepath.Join(openTest(t).dir, keyName), filepath.Join(ca.dir, keyName))
		}, []string{"do not belong together"}},
		{"truncated key", func(t *testing.T, ca *CA, _ *Options) {
			truncate(t, filepath.Join(ca.dir, keyName))
		}, []string{"ca-key.pem is damaged"}},
		{"truncated certificate", func(t *testing.T, ca *CA, _ *Options) {
			truncate(t, ca.CertFile())
		}, []string{"ca.pem is damaged"}},
		{"empty certificate", func(t *testing.T, ca *CA, _ *Options) {
			write(t, ca.CertFile(), "")
		}, []string{"ca.pem is damaged"}},
		{"two certificates", func(t *testing.T, ca *CA, _ *Options) {
			pem := read(t, ca.CertFile())
			write(t, ca.CertFile(), pem+pem)
		}, []string{"exactly one PEM block"}},
		{"huge certificate", func(t *testing.T, ca *CA, _ *Options) {
			write(t, ca.CertFile(), read(t, ca.CertFile())+strings.Repeat("\n", maxPEM))
		}, []string{"ca.pem is damaged"}},
		{"PEM of noise as certificate", func(t *testing.T, ca *CA, _ *Options) {
			write(t, ca.CertFile(), string(pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: []byte("noise")})))
		}, []string{"ca.pem is damaged"}},
		{"PEM of noise as key", func(t *testing.T, ca *CA, _ *Options) {
			write(t, filepath.Join(ca.dir, keyName), string(pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: []byte("noise")})))
		}, []string{"ca-key.pem is damaged"}},
		{"RSA key", func(t *testing.T, ca *CA, _ *Options) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(ca.dir, keyName), string(pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})))
		}, []string{"not an ECDSA key on P-256"}},
		{"a folder as certificate", func(t *testing.T, ca *CA, _ *Options) {
			remove(t, ca.CertFile())
			if err := os.Mkdir(ca.CertFile(), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"not a regular file"}},
		{"expired", func(_ *testing.T, _ *CA, o *Options) {
			o.Now = func() time.Time { return at.now.Add(caLife + time.Second) }
		}, []string{"has expired on", "delete the folder"}},
		{"clock set back", func(_ *testing.T, _ *CA, o *Options) {
			o.Now = func() time.Time { return at.now.Add(-2 * time.Hour) }
		}, []string{"not valid before", "set the clock"}},
		{"other suffixes", func(_ *testing.T, _ *CA, o *Options) {
			o.Suffixes = []string{"hf.co", "models.example.org", "co.example"}
		}, []string{`constrained to "hf.co", "huggingface.co"`, `refuse it for "co.example", "models.example.org"`, "delete the folder", "modelwall ca install"}},
		{"a suffix above", func(_ *testing.T, _ *CA, o *Options) {
			o.Suffixes = []string{"xhf.co"}
		}, []string{`refuse it for "xhf.co"`}},
		{"no constraints", func(t *testing.T, ca *CA, _ *Options) {
			resign(t, ca, func(c *x509.Certificate) { c.PermittedDNSDomains = nil })
		}, []string{"no critical name constraint"}},
		{"constraint of everything", func(t *testing.T, ca *CA, _ *Options) {
			resign(t, ca, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{""} })
		}, []string{"no critical name constraint"}},
		{"addresses allowed", func(t *testing.T, ca *CA, _ *Options) {
			resign(t, ca, func(c *x509.Certificate) { c.ExcludedIPRanges = c.ExcludedIPRanges[:1] })
		}, []string{"may certify IP addresses"}},
		{"no CA", func(t *testing.T, ca *CA, _ *Options) {
			resign(t, ca, func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero = false, false })
		}, []string{"was not made by Modelwall"}},
		{"any usage", func(t *testing.T, ca *CA, _ *Options) {
			resign(t, ca, func(c *x509.Certificate) { c.ExtKeyUsage = nil })
		}, []string{"extended key usage"}},
		{"longer path", func(t *testing.T, ca *CA, _ *Options) {
			resign(t, ca, func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 1, false })
		}, []string{"path length 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ca := openTest(t, at.set)
			o := Options{Dir: ca.dir, Suffixes: hubSuffixes, Now: at.time}
			c.spoil(t, ca, &o)
			before := snapshot(t, ca.dir)
			_, err := Open(o)
			if !errors.Is(err, ErrUnusable) {
				t.Fatalf("error %v is not ErrUnusable", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if d := cmp.Diff(before, snapshot(t, ca.dir)); d != "" {
				t.Errorf("the folder was changed:\n%s", d)
			}
		})
	}
}

func TestOpenBadOptions(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "")
	for name, o := range map[string]Options{
		"no folder":            {Suffixes: hubSuffixes},
		"folder is a file":     {Dir: file, Suffixes: hubSuffixes},
		"no suffix":            {Dir: dir},
		"top-level domain":     {Dir: dir, Suffixes: []string{"co"}},
		"everything":           {Dir: dir, Suffixes: []string{"*."}},
		"address":              {Dir: dir, Suffixes: []string{"10.0.0.1"}},
		"negative cache":       {Dir: dir, Suffixes: hubSuffixes, CacheSize: -1},
		"missing extra roots":  {Dir: dir, Suffixes: hubSuffixes, ExtraRoots: dir + "/none"},
		"folder as extra root": {Dir: dir, Suffixes: hubSuffixes, ExtraRoots: dir},
		"empty extra roots":    {Dir: dir, Suffixes: hubSuffixes, ExtraRoots: file},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(o); err == nil || errors.Is(err, ErrUnusable) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// resign replaces the CA's certificate by one for the same key with changes.
func resign(t *testing.T, ca *CA, change func(*x509.Certificate)) {
	t.Helper()
	c := *ca.cert
	c.Extensions, c.ExtraExtensions, c.RawSubject = nil, nil, nil
	c.SerialNumber = big.NewInt(7)
	everything := len(c.PermittedDNSDomains)
	change(&c)
	if everything > 0 && len(c.PermittedDNSDomains) == 1 && c.PermittedDNSDomains[0] == "" {
		c.ExtraExtensions = []pkix.Extension{emptyConstraint(t)}
		c.PermittedDNSDomains = nil
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, &ca.key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, ca.CertFile(), string(pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: der})))
}

// emptyConstraint permits the empty DNS name, under which every name is; Go
// does not write that.
func emptyConstraint(t *testing.T) pkix.Extension {
	t.Helper()
	type subtree struct {
		Name string `asn1:"tag:2,ia5"`
	}
	type constraints struct {
		Permitted []subtree `asn1:"optional,tag:0"`
	}
	der, err := asn1.Marshal(constraints{Permitted: []subtree{{""}}})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true, Value: der}
}
