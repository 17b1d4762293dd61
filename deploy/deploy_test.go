// Package deploy holds examples of how to run Modelwall. Each is loaded by a
// test here, so that none of them grows stale.
package deploy

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modelwall/config"
)

func TestConfigurationsLoad(t *testing.T) {
	examples, err := filepath.Glob("*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range examples {
		if _, err := config.Load(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The unit runs a command that exists, with a variable that is a key.
func TestSystemdUnit(t *testing.T) {
	f, err := os.Open("systemd/modelwall.service")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "Environment="); ok {
			key, value, _ := strings.Cut(v, "=")
			t.Setenv(key, value)
			found++
		}
		if v, ok := strings.CutPrefix(lines.Text(), "ExecStart="); ok && strings.HasPrefix(v, "/usr/local/bin/modelwall serve ") {
			found++
		}
	}
	cfg, err := config.Load("team.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if found != 2 || cfg.DataDir != "/var/lib/modelwall" {
		t.Errorf("%d settings found, data_dir %q", found, cfg.DataDir)
	}
}
