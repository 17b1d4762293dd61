package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// watched runs Watch on a file and hands over what it says, in order.
type watched struct {
	events chan any // *Config or error
	file   string
}

func startWatch(t *testing.T, file string, settings ...Setting) *watched {
	t.Helper()
	goleak.VerifyNone(t)
	current, err := Load(file, settings...)
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{events: make(chan any), file: file}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	send := func(e any) {
		select {
		case w.events <- e:
		case <-ctx.Done():
		}
	}
	go func() {
		done <- Watch(ctx, file, current, func(c *Config) { send(c) }, func(err error) { send(err) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
		goleak.VerifyNone(t)
	})
	return w
}

// replace puts text into place the way careful editors do.
func replace(t *testing.T, file, text string) {
	t.Helper()
	temp := file + ".tmp"
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, file); err != nil {
		t.Fatal(err)
	}
}

func (w *watched) config(t *testing.T) *Config {
	t.Helper()
	c, ok := (<-w.events).(*Config)
	if !ok {
		t.Fatalf("got an error, want a configuration")
	}
	return c
}

func (w *watched) err(t *testing.T) error {
	t.Helper()
	switch e := (<-w.events).(type) {
	case error:
		return e
	case *Config:
		t.Fatalf("got a configuration, want an error:\n%s", dump(e))
	}
	return nil
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "proxy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWatch(t *testing.T) {
	hermetic(t)
	t.Setenv("MODELWALL_POLICY_CLEAN", "warn")
	file := writeConfig(t, "policy: {malicious: block}\n")
	w := startWatch(t, file, Setting{"log.level", "error", "--log-level"})

	t.Log("a good change, by rename")
	replace(t, file, "policy: {malicious: quarantine}\n")
	if got := dump(w.config(t)); got != "policy.malicious: quarantine\npolicy.clean: warn\nlog.level: ERROR\n" {
		t.Errorf("after the change:\n%s", got)
	}

	t.Log("a bad file is refused")
	replace(t, file, "policy: {malicious: delete}\n")
	if err := w.err(t); !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), ":1: policy.malicious") {
		t.Errorf("error = %v", err)
	}

	t.Log("an empty file is refused")
	replace(t, file, "")
	if err := w.err(t); !strings.Contains(err.Error(), "empty") {
		t.Errorf("error = %v", err)
	}

	t.Log("so is none at all")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := w.err(t); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v", err)
	}

	t.Log("some of a change needs a restart, the rest takes effect")
	replace(t, file, "policy: {malicious: quarantine}\nlisten: 0.0.0.0:1\nallow_remote_clients: true\nintercept: [hub.corp]\ngate: {hold: 1s}\n")
	c := w.config(t)
	if got := dump(c); got != "gate.hold: 1s\npolicy.malicious: quarantine\npolicy.clean: warn\nlog.level: ERROR\n" {
		t.Errorf("after the change:\n%s", got)
	}
	var restart *RestartError
	if err := w.err(t); !errors.As(err, &restart) {
		t.Fatalf("error = %v, want a RestartError", err)
	}
	if diff := cmp.Diff([]string{"listen", "allow_remote_clients", "intercept"}, restart.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}

	t.Log("writing in place counts as well")
	if err := os.WriteFile(file, []byte("gate: {hold: 2s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := dump(w.config(t)); got != "gate.hold: 2s\npolicy.clean: warn\nlog.level: ERROR\n" {
		t.Errorf("after the change:\n%s", got)
	}
}

// A volume of Kubernetes: proxy.yaml -> ..data/proxy.yaml, ..data -> ..1, and
// an update swaps ..data.
func TestWatchKubernetesVolume(t *testing.T) {
	hermetic(t)
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for version, text := range map[string]string{"..1": "gate: {hold: 1s}\n", "..2": "gate: {hold: 2s}\n", "..3": "gate: {hold: 3s}\n"} {
		must(os.Mkdir(filepath.Join(dir, version), 0o700))
		must(os.WriteFile(filepath.Join(dir, version, "proxy.yaml"), []byte(text), 0o600))
	}
	point := func(version string) {
		t.Helper()
		must(os.Symlink(version, filepath.Join(dir, "..tmp")))
		must(os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
	}
	point("..1")
	file := filepath.Join(dir, "proxy.yaml")
	must(os.Symlink(filepath.Join("..data", "proxy.yaml"), file))
	w := startWatch(t, file)
	for _, version := range []string{"2", "3"} {
		point(".." + version)
		if got := dump(w.config(t)); got != "gate.hold: "+version+"s\n" {
			t.Errorf("after the swap to %s:\n%s", version, got)
		}
	}
}

// A link to a file elsewhere, which is replaced there.
func TestWatchLinkTarget(t *testing.T) {
	hermetic(t)
	target := writeConfig(t, "gate: {hold: 1s}\n")
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	w := startWatch(t, link)
	replace(t, target, "gate: {hold: 2s}\n")
	if got := dump(w.config(t)); got != "gate.hold: 2s\n" {
		t.Errorf("after the change:\n%s", got)
	}
}

func TestWatchSeesWhatChangedBeforeIt(t *testing.T) {
	hermetic(t)
	file := writeConfig(t, "gate: {hold: 1s}\n")
	current, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, file, "gate: {hold: 2s}\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got string
	err = Watch(ctx, file, current, func(c *Config) {
		got = dump(c)
		cancel()
	}, func(err error) { t.Error(err) })
	if err != nil || got != "gate.hold: 2s\n" {
		t.Errorf("error %v, configuration:\n%s", err, got)
	}
}

func TestWatchWithoutFile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Watch(ctx, "", Default(), nil, nil); err != nil {
		t.Error(err)
	}
	if err := Watch(ctx, filepath.Join(t.TempDir(), "none", "proxy.yaml"), Default(), nil, nil); err == nil {
		t.Error("watching a folder that does not exist: no error")
	}
}
