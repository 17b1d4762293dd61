package scantest

import (
	"os"
	"os/exec"
	"testing"
)

// Tool returns the path of a program that a test runs. Without it the test is
// skipped, or fails where MODELWALL_TEST_REQUIRE is set: CI installs them all.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("MODELWALL_TEST_REQUIRE") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}
