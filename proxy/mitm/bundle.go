package mitm

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// maxRoots bounds one file of roots; a distribution's has some 220 KB.
const maxRoots = 16 << 20

const bundleHead = "# Made by Modelwall at each start: the system's roots, the configured extra roots, Modelwall's own CA last.\n"

// writeBundle brings the bundle up to date and returns how many certificates
// it has besides the CA.
func writeBundle(path, certPath, extra string, caDER []byte) (int, error) {
	b := newBundle(path, certPath, caDER)
	b.addSystem(rootPlaces(runtime.GOOS, os.Getenv, b.isOwn))
	if extra != "" {
		if err := b.addExtra(extra); err != nil {
			return 0, err
		}
	}
	n := b.count
	b.append(caDER)

	// Left alone when nothing changed: clients that watch the file's time see
	// no change, and a read-only folder is good enough.
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, b.out.Bytes()) {
		return n, nil
	}
	return n, replaceFile(path, b.out.Bytes(), 0o644)
}

// bundle collects certificates, each once.
type bundle struct {
	own   []string // our files and their folder, never a source
	seen  map[[sha256.Size]byte]bool
	count int
	out   bytes.Buffer
}

func newBundle(path, certPath string, caDER []byte) *bundle {
	b := &bundle{
		own: []string{path, certPath, filepath.Dir(path)},
		// The CA comes last, even if the system has it too.
		seen: map[[sha256.Size]byte]bool{sha256.Sum256(caDER): true},
	}
	b.out.WriteString(bundleHead)
	return b
}

// isOwn reports whether path is one of our files or their folder, by name or by
// a link.
//
// The shell that started us may well have SSL_CERT_FILE set to our bundle.
// Taken as a source, that would keep for ever what the system no longer trusts,
// and the CA of a folder that was deleted since.
func (b *bundle) isOwn(path string) bool {
	info, err := os.Stat(path)
	abs, absErr := filepath.Abs(path)
	for _, own := range b.own {
		if absErr == nil && abs == own {
			return true
		}
		if ownInfo, ownErr := os.Stat(own); err == nil && ownErr == nil && os.SameFile(info, ownInfo) {
			return true
		}
	}
	return false
}

// addSystem takes the first file that has certificates, and all files of the
// folders. What can't be read or is no certificate is passed over, as
// crypto/x509 and OpenSSL do.
func (b *bundle) addSystem(files, dirs []string) {
	for _, f := range files {
		if n, err := b.addFile(f, false); err == nil && n > 0 {
			break
		}
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			_, _ = b.addFile(filepath.Join(dir, e.Name()), false)
		}
	}
}

// addExtra takes the file that the configuration names. It was asked for, so
// each fault in it is an error.
func (b *bundle) addExtra(path string) error {
	n, err := b.addFile(path, true)
	if err == nil && n == 0 {
		err = errors.New("there is no PEM certificate in it")
	}
	if err != nil {
		return fmt.Errorf("mitm: extra roots (upstream.ca_file) %s: %w", path, err)
	}
	return nil
}

// addFile adds the certificates of a PEM file and returns how many it has,
// those that were there already included.
func (b *bundle) addFile(path string, strict bool) (int, error) {
	// First without opening: to open a FIFO can block for ever.
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errors.New("not a regular file")
	}
	if b.isOwn(path) {
		return 0, errors.New("it is Modelwall's own file")
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRoots+1))
	if err != nil {
		return 0, err
	}
	if len(data) > maxRoots {
		return 0, fmt.Errorf("it has more than %d bytes", maxRoots)
	}
	n := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemCert || len(block.Headers) != 0 {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			if strict {
				return n, fmt.Errorf("certificate %d: %w", n+1, err)
			}
			continue
		}
		n++
		if sum := sha256.Sum256(block.Bytes); !b.seen[sum] {
			b.seen[sum] = true
			b.append(block.Bytes)
		}
	}
	return n, nil
}

func (b *bundle) append(der []byte) {
	b.count++
	// Neither a bytes.Buffer nor a block without headers can fail.
	_ = pem.Encode(&b.out, &pem.Block{Type: pemCert, Bytes: der})
}
