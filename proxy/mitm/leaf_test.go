package mitm

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLeaf(t *testing.T) {
	at := &clock{time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	ca := openTest(t, at.set)
	long := strings.Repeat("a", 63) + ".huggingface.co"
	for _, c := range []struct{ host, name, cn string }{
		{"HuggingFace.co.", "huggingface.co", "huggingface.co"},
		{"cdn-lfs.hf.co", "cdn-lfs.hf.co", "cdn-lfs.hf.co"},
		{long, long, ""},
	} {
		got, err := ca.Leaf(c.host)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(got.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if !leaf.Equal(got.Leaf) || len(got.Certificate) != 1 {
			t.Error("not the one certificate")
		}
		if d := cmp.Diff([]string{c.name}, leaf.DNSNames); d != "" {
			t.Error(d)
		}
		if n := len(leaf.IPAddresses) + len(leaf.EmailAddresses) + len(leaf.URIs); n != 0 {
			t.Errorf("%d other names", n)
		}
		if leaf.Subject.CommonName != c.cn {
			t.Errorf("common name %q, want %q", leaf.Subject.CommonName, c.cn)
		}
		if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature ||
			len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
			t.Errorf("CA %v, usage %b, extended %v", leaf.IsCA, leaf.KeyUsage, leaf.ExtKeyUsage)
		}
		if !bytes.Equal(leaf.AuthorityKeyId, ca.Certificate().SubjectKeyId) || len(leaf.SubjectKeyId) == 0 {
			t.Errorf("key identifiers %x, %x", leaf.AuthorityKeyId, leaf.SubjectKeyId)
		}
		if !leaf.NotBefore.Equal(at.now.Add(-time.Hour)) || !leaf.NotAfter.Equal(at.now.Add(7*24*time.Hour)) {
			t.Errorf("valid %v to %v", leaf.NotBefore, leaf.NotAfter)
		}
		if leaf.SerialNumber.Sign() <= 0 || len(leaf.SerialNumber.Bytes()) > 20 {
			t.Errorf("serial %v", leaf.SerialNumber)
		}
		if err := verify(ca, leaf, c.name, at.now); err != nil {
			t.Error(err)
		}
	}
}

func verify(ca *CA, leaf *x509.Certificate, host string, at time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate())
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: at})
	return err
}

func TestLeafRefusesOtherHosts(t *testing.T) {
	ca := openTest(t)
	for _, host := range []string{
		"evil.com", "huggingface.co.evil.com", "evilhuggingface.co", "co", "", "*.hf.co", "huggingface.co:443",
		"127.0.0.1", "::1", "[::1]", "hf.co\x00.evil.com", "hf.co\r\nX: y", strings.Repeat("a.", 200) + "hf.co",
	} {
		cert, err := ca.Leaf(host)
		if cert != nil || !errors.Is(err, ErrHost) {
			t.Errorf("%q: %v", host, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Errorf("%q reaches the message unescaped: %q", host, err)
		}
		if _, err := ca.ServerConfig(host).GetCertificate(&tls.ClientHelloInfo{ServerName: "hf.co"}); !errors.Is(err, ErrHost) {
			t.Errorf("%q: ServerConfig: %v", host, err)
		}
	}
	if ca.leaves.Len() != 0 || ca.configs.Len() != 0 {
		t.Error("a refused host takes room in a cache")
	}
}

func TestLeafIsMintedOnce(t *testing.T) {
	ca := openTest(t)
	const callers = 64
	got, errs := make([]*tls.Certificate, callers), make([]error, callers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			<-start
			host := "huggingface.co"
			if i%2 == 1 {
				host = "HUGGINGFACE.co."
			}
			got[i], errs[i] = ca.Leaf(host)
		})
	}
	close(start)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	// Each minting's result is returned to somebody, so a second one shows.
	for _, c := range got {
		if c != got[0] {
			t.Fatal("more than one leaf was minted")
		}
	}
}

func TestLeafIsRenewed(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	at := &clock{start}
	ca := openTest(t, at.set)
	leaf := func() *tls.Certificate {
		t.Helper()
		c, err := ca.Leaf("hf.co")
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(ca, c.Leaf, "hf.co", at.now); err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := leaf()
	at.now = start.Add(leafLife - renewBefore - time.Second)
	if leaf() != first {
		t.Error("renewed too early")
	}
	at.now = start.Add(leafLife - renewBefore)
	second := leaf()
	if second == first {
		t.Error("not renewed a day before its end")
	}
	if first.PrivateKey == second.PrivateKey {
		t.Error("renewed with the same key")
	}
	at.now = start // set back: the second is not valid yet
	if leaf() == second {
		t.Error("a leaf from the future was handed out")
	}

	end := ca.Certificate().NotAfter
	at.now = end.Add(-time.Hour)
	last := leaf()
	if !last.Leaf.NotAfter.Equal(end) {
		t.Errorf("the leaf ends %v, the CA %v", last.Leaf.NotAfter, end)
	}
	at.now = end.Add(-time.Minute)
	if leaf() != last {
		t.Error("in the CA's last days each call mints")
	}
	at.now = end.Add(time.Second)
	if _, err := ca.Leaf("hf.co"); !errors.Is(err, ErrUnusable) {
		t.Errorf("after the CA's end: %v", err)
	}
}

func TestCachesAreBounded(t *testing.T) {
	ca := openTest(t, func(o *Options) { o.CacheSize = 2 })
	first, err := ca.Leaf("0.hf.co")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		host := fmt.Sprint(i, ".hf.co")
		if _, err := ca.Leaf(host); err != nil {
			t.Fatal(err)
		}
		if first, second := ca.ServerConfig(host), ca.ServerConfig(host); first != second {
			t.Error("two configurations of one host")
		}
	}
	if ca.leaves.Len() != 2 || ca.configs.Len() != 2 {
		t.Errorf("%d leaves, %d configurations", ca.leaves.Len(), ca.configs.Len())
	}
	if again, err := ca.Leaf("0.hf.co"); err != nil || again == first {
		t.Errorf("evicted leaf is still there (%v)", err)
	}
}

func BenchmarkLeafMint(b *testing.B) {
	ca := openTest(b)
	for b.Loop() {
		if _, err := ca.mint("cdn-lfs.hf.co", time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeafCached(b *testing.B) {
	ca := openTest(b)
	if _, err := ca.Leaf("cdn-lfs.hf.co"); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := ca.Leaf("cdn-lfs.hf.co"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
