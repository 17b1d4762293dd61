package mitm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain leaves the machine's own roots out, except for the tests that are
// about them: to read them for each CA takes longer than all the rest.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mitm-no-roots-")
	if err == nil {
		err = errors.Join(os.Setenv("SSL_CERT_FILE", filepath.Join(dir, "none")), os.Setenv("SSL_CERT_DIR", dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

var hubSuffixes = []string{"huggingface.co", "hf.co"}

// openTest opens a CA for the Hub's names in a folder of the test's own.
func openTest(t testing.TB, change ...func(*Options)) *CA {
	t.Helper()
	o := Options{Dir: t.TempDir() + "/ca", Suffixes: hubSuffixes}
	for _, c := range change {
		c(&o)
	}
	ca, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// clock is a time that a test sets.
type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

func (c *clock) set(o *Options) { o.Now = c.time }
