package mitm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCertificateIsWhatStrictClientsWant(t *testing.T) {
	at := &clock{time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	cert := openTest(t, at.set).Certificate()

	if !cert.IsCA || !cert.BasicConstraintsValid || cert.MaxPathLen != 0 || !cert.MaxPathLenZero {
		t.Errorf("basicConstraints: CA %v, path length %d", cert.IsCA, cert.MaxPathLen)
	}
	if cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("keyUsage %b", cert.KeyUsage)
	}
	critical := map[string]bool{}
	for _, e := range cert.Extensions {
		critical[e.Id.String()] = e.Critical
	}
	want := map[string]bool{
		"2.5.29.15": true,  // keyUsage
		"2.5.29.19": true,  // basicConstraints
		"2.5.29.30": true,  // nameConstraints
		"2.5.29.14": false, // subjectKeyIdentifier
		"2.5.29.35": false, // authorityKeyIdentifier
		"2.5.29.37": false, // extKeyUsage
	}
	if d := cmp.Diff(want, critical); d != "" {
		t.Errorf("extensions, and whether critical (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"hf.co", "huggingface.co"}, cert.PermittedDNSDomains); d != "" {
		t.Error(d)
	}
	var ranges []string
	for _, r := range cert.ExcludedIPRanges {
		ranges = append(ranges, r.String())
	}
	if d := cmp.Diff([]string{"0.0.0.0/0", "::/0"}, ranges); d != "" {
		t.Error(d)
	}
	if len(cert.SubjectKeyId) == 0 || !bytes.Equal(cert.SubjectKeyId, cert.AuthorityKeyId) {
		t.Errorf("key identifiers %x and %x", cert.SubjectKeyId, cert.AuthorityKeyId)
	}
	if cert.SerialNumber.Sign() <= 0 || len(cert.SerialNumber.Bytes()) > 20 {
		t.Errorf("serial %v", cert.SerialNumber)
	}
	if got := cert.NotBefore; !got.Equal(at.now.Add(-time.Hour)) {
		t.Errorf("not before %v", got)
	}
	if got := cert.NotAfter.Sub(at.now); got != caLife {
		t.Errorf("lives for %v", got)
	}
	if !strings.HasPrefix(cert.Subject.CommonName, "Modelwall CA") || cert.Subject.SerialNumber == "" {
		t.Errorf("subject %v", cert.Subject)
	}
	if cert.PublicKey.(*ecdsa.PublicKey).Curve != elliptic.P256() {
		t.Error("not P-256")
	}
	if other := openTest(t); other.Certificate().Subject.String() == cert.Subject.String() {
		t.Errorf("two CAs share the subject %s", cert.Subject)
	}
}

func TestCommonName(t *testing.T) {
	for host, want := range map[string]string{
		"build-7.example.org":    "Modelwall CA (build-7.example.org)",
		"":                       "Modelwall CA",
		"\x1b[31m\u00e9":         "Modelwall CA (31m)",
		strings.Repeat("a", 300): "Modelwall CA (" + strings.Repeat("a", 49) + ")",
	} {
		if got := caCommonName(host); got != want || len(got) > 64 {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestFilesAndModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "ca")
	ca, err := Open(Options{Dir: dir, Suffixes: hubSuffixes})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{".": mode(t, dir)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got[e.Name()] = mode(t, filepath.Join(dir, e.Name()))
	}
	want := map[string]fs.FileMode{".": 0o700, "ca.pem": 0o644, "ca-key.pem": 0o600, "bundle.pem": 0o644}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("files and modes (-want +got):\n%s", d)
	}
	if ca.CertFile() != filepath.Join(dir, "ca.pem") || ca.BundleFile() != filepath.Join(dir, "bundle.pem") {
		t.Errorf("%s, %s", ca.CertFile(), ca.BundleFile())
	}
	again, err := Open(Options{Dir: dir, Suffixes: []string{"hf.co"}})
	if err != nil {
		t.Fatal(err)
	}
	if !again.Certificate().Equal(ca.Certificate()) {
		t.Error("opened again, it is another CA")
	}
	if _, err := again.Leaf("huggingface.co"); !errors.Is(err, ErrHost) {
		t.Errorf("the CA may, but this use of it was not asked to: %v", err)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestOpenAtOnceMakesOneCA(t *testing.T) {
	dir := t.TempDir() + "/ca"
	const openers = 8
	cas, errs := make([]*CA, openers), make([]error, openers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range openers {
		wg.Go(func() {
			<-start
			cas[i], errs[i] = Open(Options{Dir: dir, Suffixes: hubSuffixes})
		})
	}
	close(start)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, ca := range cas {
		if !ca.cert.Equal(cas[0].cert) || !ca.key.Equal(cas[0].key) {
			t.Error("two certificate authorities")
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 {
		t.Errorf("temporary files were left: %v", entries)
	}
}

// A process that is killed leaves a temporary file, or the key alone, or both
// files without the bundle. Each must open.
func TestOpenAfterKill(t *testing.T) {
	for name, remove := range map[string][]string{
		"key alone":      {certName, bundleName},
		"without bundle": {bundleName},
	} {
		t.Run(name, func(t *testing.T) {
			before := openTest(t)
			for _, f := range remove {
				if err := os.Remove(filepath.Join(before.dir, f)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(before.dir, ".ca.pem.tmp-123"), "-----BEGIN CERT")
			after := openTest(t, func(o *Options) { o.Dir = before.dir })
			if !after.key.Equal(before.key) {
				t.Error("the key was replaced")
			}
			if _, err := os.Stat(after.BundleFile()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Without hard links the file is made in place, and still never replaced.
func TestCreateFileWithoutLinks(t *testing.T) {
	noLinks := func(string, string) error { return errors.ErrUnsupported }
	path := t.TempDir() + "/f"
	for i, want := range []bool{true, false} {
		mine, err := createFile(path, []byte{'0' + byte(i)}, 0o600, noLinks)
		if err != nil || mine != want {
			t.Errorf("call %d: %v, %v", i, mine, err)
		}
	}
	if got := read(t, path); got != "0" {
		t.Errorf("content %q", got)
	}
	if m := mode(t, path); m != 0o600 {
		t.Errorf("mode %o", m)
	}
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if e.Type().IsRegular() {
			files[e.Name()] = read(t, filepath.Join(dir, e.Name()))
		}
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// write keeps the mode of a file that exists.
func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	write(t, to, read(t, from))
}

func chmod(t *testing.T, path string, m fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, m); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
