package mitm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These tests need python3, openssl, curl, git and node; continuous integration
// installs them all. git is there because Debian's is linked with GnuTLS.

// tool runs a program with nothing of our environment that concerns TLS and returns all its output.
func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// openWithSystemRoots has a bundle as users have it.
func openWithSystemRoots(t *testing.T) *CA {
	t.Helper()
	t.Setenv("SSL_CERT_FILE", "")
	t.Setenv("SSL_CERT_DIR", "")
	return openTest(t)
}

// thiefConfig serves a leaf for evil.com that the CA's key has signed.
func thiefConfig(t *testing.T, ca *CA) *tls.Config {
	t.Helper()
	cert, key := handSigned(t, ca, func(c *x509.Certificate) { c.DNSNames = []string{"evil.com"} })
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
	}
}

const pythonClient = `
import socket, ssl, sys
roots, port, host = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=roots)
context.verify_flags |= ssl.VERIFY_X509_STRICT | getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)
with socket.create_connection(("127.0.0.1", port)) as raw:
    with context.wrap_socket(raw, server_hostname=host) as s:
        s.sendall(b"GET / HTTP/1.0\r\nHost: " + host.encode() + b"\r\n\r\n")
        print(s.makefile("rb").readline().decode(), end="")
`

func TestPythonStrict(t *testing.T) {
	ca := openWithSystemRoots(t)
	_, port, _ := net.SplitHostPort(serve(t, ca.ServerConfig("huggingface.co")))
	for _, roots := range []string{ca.CertFile(), ca.BundleFile()} {
		out, err := tool(t, "python3", "-c", pythonClient, roots, port, "huggingface.co")
		if err != nil || !strings.HasPrefix(out, "HTTP/1.0 200") {
			t.Errorf("%s: %v\n%s", filepath.Base(roots), err, out)
		}
	}
	_, port, _ = net.SplitHostPort(serve(t, thiefConfig(t, ca)))
	out, err := tool(t, "python3", "-c", pythonClient, ca.CertFile(), port, "evil.com")
	if err == nil || !strings.Contains(out, "permitted subtree violation") {
		t.Errorf("a leaf outside the constraints: %v\n%s", err, out)
	}
}

func TestOpenSSLStrict(t *testing.T) {
	ca := openTest(t)
	inside, err := ca.Leaf("cdn-lfs.hf.co")
	if err != nil {
		t.Fatal(err)
	}
	evil := thiefConfig(t, ca).Certificates[0]
	address, _ := handSigned(t, ca, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1).To4()} })
	for _, c := range []struct {
		name string
		der  []byte
		args []string
		want string
	}{
		{"inside", inside.Certificate[0], []string{"-verify_hostname", "cdn-lfs.hf.co"}, ": OK"},
		{"outside", evil.Certificate[0], nil, "permitted subtree violation"},
		{"address", address.Raw, nil, "excluded subtree violation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := t.TempDir() + "/leaf.pem"
			write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: c.der})))
			args := append([]string{"verify", "-x509_strict", "-check_ss_sig", "-purpose", "sslserver", "-CAfile", ca.CertFile()}, c.args...)
			out, err := tool(t, "openssl", append(args, file)...)
			if !strings.Contains(out, c.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestCurl(t *testing.T) {
	ca := openWithSystemRoots(t)
	for _, roots := range []string{ca.CertFile(), ca.BundleFile()} {
		_, port, _ := net.SplitHostPort(serve(t, ca.ServerConfig("huggingface.co")))
		out, err := tool(t, "curl", "-q", "-sS", "--max-time", "30", "--cacert", roots,
			"--resolve", "huggingface.co:"+port+":127.0.0.1", "https://huggingface.co:"+port+"/")
		if err != nil || out != "HTTP/2.0 resumed=false" {
			t.Errorf("%s: %v\n%s", filepath.Base(roots), err, out)
		}
	}
	_, port, _ := net.SplitHostPort(serve(t, thiefConfig(t, ca)))
	out, err := tool(t, "curl", "-q", "-sS", "--max-time", "30", "--cacert", ca.CertFile(),
		"--resolve", "evil.com:"+port+":127.0.0.1", "https://evil.com:"+port+"/")
	if err == nil || !strings.Contains(out, "certificate") {
		t.Errorf("a leaf outside the constraints: %v\n%s", err, out)
	}
}

func TestGit(t *testing.T) {
	ca := openWithSystemRoots(t)
	ask := func(roots, host, port string) (string, error) {
		return tool(t, "git", "-c", "http.sslCAInfo="+roots, "-c", "http.curloptResolve="+host+":"+port+":127.0.0.1",
			"ls-remote", "https://"+host+":"+port+"/repo")
	}
	_, port, _ := net.SplitHostPort(serve(t, ca.ServerConfig("huggingface.co")))
	for _, roots := range []string{ca.CertFile(), ca.BundleFile()} {
		// The answer is not git's; to git that is an old server's empty repository.
		if out, err := ask(roots, "huggingface.co", port); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(roots), err, out)
		}
	}
	_, port, _ = net.SplitHostPort(serve(t, thiefConfig(t, ca)))
	out, err := ask(ca.CertFile(), "evil.com", port)
	if err == nil || !strings.Contains(out, "certificate verif") {
		t.Errorf("a leaf outside the constraints: %v\n%s", err, out)
	}
}

const nodeClient = `
const [roots, port, host] = process.argv.slice(1)
require("https").get({
  host: "127.0.0.1", port, servername: host, headers: {Host: host}, ca: require("fs").readFileSync(roots), agent: false,
}, r => { console.log(r.statusCode); r.resume() }).on("error", e => { console.log(e.message); process.exitCode = 1 })
`

func TestNode(t *testing.T) {
	ca := openWithSystemRoots(t)
	_, port, _ := net.SplitHostPort(serve(t, ca.ServerConfig("huggingface.co")))
	for _, roots := range []string{ca.CertFile(), ca.BundleFile()} {
		out, err := tool(t, "node", "-e", nodeClient, roots, port, "huggingface.co")
		if err != nil || out != "200\n" {
			t.Errorf("%s: %v\n%s", filepath.Base(roots), err, out)
		}
	}
	_, port, _ = net.SplitHostPort(serve(t, thiefConfig(t, ca)))
	out, err := tool(t, "node", "-e", nodeClient, ca.CertFile(), port, "evil.com")
	if err == nil || !strings.Contains(out, "permitted subtree violation") {
		t.Errorf("a leaf outside the constraints: %v\n%s", err, out)
	}
}
