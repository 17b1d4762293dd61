package mitm

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// authorities makes n certificates that stand for a system's roots.
func authorities(t *testing.T, n int) (ders [][]byte) {
	t.Helper()
	for range n {
		ders = append(ders, openTest(t).cert.Raw)
	}
	return ders
}

func encode(kind string, ders ...[]byte) string {
	var b strings.Builder
	for _, der := range ders {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return b.String()
}

// subjects are the serial numbers in the bundle's subjects, in order.
func subjects(t *testing.T, bundle string) (all []string) {
	t.Helper()
	for block, rest := pem.Decode([]byte(bundle)); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, subject(t, block.Bytes))
	}
	return all
}

func subject(t *testing.T, der []byte) string {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Subject.SerialNumber
}

func TestBundle(t *testing.T) {
	ders := authorities(t, 4)
	var names []string
	for _, d := range ders {
		names = append(names, subject(t, d))
	}
	work := t.TempDir()
	file, dir, extra := work+"/system.pem", work+"/certs", work+"/extra.pem"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, file, "# a comment\n"+encode(pemCert, ders[0], ders[1], ders[0])+encode("PRIVATE KEY", ders[3])+encode(pemCert, []byte("noise")))
	write(t, dir+"/again.pem", encode(pemCert, ders[1]))
	write(t, dir+"/new.0", encode(pemCert, ders[2]))
	write(t, dir+"/README", "not a certificate")
	write(t, extra, encode(pemCert, ders[2], ders[3]))
	if err := os.Mkdir(dir+"/folder", 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
	t.Setenv("SSL_CERT_DIR", work+"/none:"+dir)

	home := work + "/ca"
	open := func(extra string) *CA {
		return openTest(t, func(o *Options) { o.Dir, o.ExtraRoots = home, extra })
	}
	ca := open(extra)
	own := subject(t, ca.cert.Raw)
	if d := cmp.Diff(append(slices.Clone(names), own), subjects(t, read(t, ca.BundleFile()))); d != "" {
		t.Errorf("bundle (-want +got):\n%s", d)
	}
	if ca.BundleRoots() != 4 {
		t.Errorf("%d roots", ca.BundleRoots())
	}

	// Nothing new: the file stays as it is.
	before, err := os.Stat(ca.BundleFile())
	if err != nil {
		t.Fatal(err)
	}
	open(extra)
	after, err := os.Stat(ca.BundleFile())
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the bundle was rewritten with the same content")
	}

	// A root that was withdrawn goes, a CA that the system trusts comes once.
	write(t, file, encode(pemCert, ca.cert.Raw, ders[1]))
	ca = open("")
	if d := cmp.Diff([]string{names[1], names[2], own}, subjects(t, read(t, ca.BundleFile()))); d != "" {
		t.Errorf("bundle (-want +got):\n%s", d)
	}
	// Clients take it.
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(read(t, ca.BundleFile()))) {
		t.Error("no certificate in the bundle")
	}

	// A fault in what was asked for is an error, not a smaller bundle.
	write(t, extra, encode(pemCert, ders[3])+encode(pemCert, []byte("noise")))
	if _, err := Open(Options{Dir: home, Suffixes: hubSuffixes, ExtraRoots: extra}); err == nil || !strings.Contains(err.Error(), "certificate 2") {
		t.Errorf("error %v", err)
	}
}

// A shell that has our bundle in SSL_CERT_FILE starts us again, after the
// system withdrew a root and the CA was made anew.
func TestBundleIsNoSourceOfItself(t *testing.T) {
	work := t.TempDir()
	stale := authorities(t, 1)[0]
	empty := work + "/empty"
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	home := work + "/ca"
	ca := openTest(t, func(o *Options) { o.Dir = home })
	link := work + "/link.pem"
	if err := os.Symlink(ca.BundleFile(), link); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string][2]string{
		"bundle":        {ca.BundleFile(), empty},
		"by a link":     {link, empty},
		"CA":            {ca.CertFile(), empty},
		"folder":        {empty + "/none", home},
		"link's folder": {empty + "/none", work},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, ca.BundleFile(), encode(pemCert, stale))
			t.Setenv("SSL_CERT_FILE", env[0])
			t.Setenv("SSL_CERT_DIR", env[1])
			openTest(t, func(o *Options) { o.Dir = home })
			got := subjects(t, read(t, ca.BundleFile()))
			if slices.Contains(got, subject(t, stale)) {
				t.Error("the old bundle's content is back")
			}
			if n := len(got); n == 0 || got[n-1] != subject(t, ca.cert.Raw) {
				t.Errorf("the CA is not last in %v", got)
			}
		})
	}
}

func TestRootPlaces(t *testing.T) {
	getenv := func(env map[string]string) func(string) string { return func(k string) string { return env[k] } }
	none := func(string) bool { return false }
	for _, goos := range []string{"linux", "android", "freebsd", "openbsd", "netbsd", "dragonfly", "solaris", "illumos", "darwin"} {
		if files, _ := rootPlaces(goos, getenv(nil), none); len(files) == 0 {
			t.Errorf("%s: no file", goos)
		}
	}
	if files, dirs := rootPlaces("windows", getenv(nil), none); len(files)+len(dirs) != 0 {
		t.Errorf("windows: %v, %v", files, dirs)
	}
	files, dirs := rootPlaces("windows", getenv(map[string]string{"SSL_CERT_FILE": `C:\r.pem`, "SSL_CERT_DIR": `C:\a;D:\b`}), none)
	if d := cmp.Diff([][]string{{`C:\r.pem`}, {`C:\a`, `D:\b`}}, [][]string{files, dirs}); d != "" {
		t.Error(d)
	}
	// A file that was named replaces the defaults: it may be there to trust less.
	files, dirs = rootPlaces("linux", getenv(map[string]string{"SSL_CERT_FILE": "/x", "SSL_CERT_DIR": "/y:/z"}), func(p string) bool { return p == "/y" })
	if d := cmp.Diff([][]string{{"/x"}, {"/z"}}, [][]string{files, dirs}); d != "" {
		t.Error(d)
	}
}

// The first file that has certificates ends the search, not the first that exists.
func TestSystemFilePreference(t *testing.T) {
	work := t.TempDir()
	ders := authorities(t, 2)
	write(t, work+"/empty", "")
	write(t, work+"/one", encode(pemCert, ders[0]))
	write(t, work+"/two", encode(pemCert, ders[1]))
	b := newBundle(filepath.Join(work, "ca", bundleName), filepath.Join(work, "ca", certName), nil)
	b.addSystem([]string{work + "/none", work + "/empty", work + "/one", work + "/two"}, nil)
	if d := cmp.Diff([]string{subject(t, ders[0])}, subjects(t, b.out.String())); d != "" {
		t.Error(d)
	}
}
