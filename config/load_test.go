package config

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the golden files")

// hermetic takes the machine's own settings out of the environment.
func hermetic(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, EnvPrefix) {
			t.Setenv(name, value) // put back at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("XDG_DATA_HOME", "/data/home")
}

func ignoreOrigin() cmp.Option { return cmpopts.IgnoreUnexported(Config{}) }

func TestDocumentedDefaults(t *testing.T) {
	hermetic(t)
	const file = "../proxy.yaml"
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got, ignoreOrigin()); diff != "" {
		t.Errorf("proxy.yaml differs from Default (-default +file):\n%s", diff)
	}
	if got.Source() != file || got.Path() != file {
		t.Errorf("Source = %q, Path = %q", got.Source(), got.Path())
	}
	if got, err = Load(""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got, ignoreOrigin()); diff != "" {
		t.Errorf("Load without a file differs from Default:\n%s", diff)
	}
	if got.Source() != "defaults" || got.Path() != "" {
		t.Errorf("Source = %q, Path = %q", got.Source(), got.Path())
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../proxy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	var order []string
	var walk func(prefix string, n *yaml.Node)
	walk = func(prefix string, n *yaml.Node) {
		for i := 0; i < len(n.Content); i += 2 {
			name, value := prefix+n.Content[i].Value, n.Content[i+1]
			if value.Kind == yaml.MappingNode {
				walk(name+".", value)
				continue
			}
			order = append(order, name)
			comments[name] = n.Content[i].HeadComment
		}
	}
	walk("", root.Content[0])
	var want []string
	for _, k := range keys() {
		want = append(want, k.name)
		if comments[k.name] == "" {
			t.Errorf("%s has no comment above it", k.name)
		}
		if live := strings.HasPrefix(comments[k.name], "# (live)"); live != k.live {
			t.Errorf("%s: marked (live) = %v, can be reloaded = %v", k.name, live, k.live)
		}
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("keys of proxy.yaml (-Config +file):\n%s", diff)
	}
}

func TestEnvironmentNamesAreDistinct(t *testing.T) {
	seen := map[string]string{EnvPrefix + "CONFIG": "the configuration file"}
	for _, k := range keys() {
		if other, dup := seen[k.env()]; dup {
			t.Errorf("%s and %s are both %s", k.name, other, k.env())
		}
		seen[k.env()] = k.name
	}
}

// dump prints what differs from the defaults, and the warnings.
func dump(c *Config) string {
	var b strings.Builder
	for _, k := range changed(Default(), c) {
		fmt.Fprintf(&b, "%s: %v\n", k.name, k.field(c).Interface())
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

// golden compares got with a file beside the input, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// inputs lists the YAML files of a folder, of which there have to be some.
func inputs(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, error %v", dir, len(files), err)
	}
	return files
}

func TestGoodFiles(t *testing.T) {
	for _, file := range inputs(t, "testdata/good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			hermetic(t)
			c, err := Load(file)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", dump(c))
		})
	}
}

func TestBadFiles(t *testing.T) {
	for _, file := range inputs(t, "testdata/bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			hermetic(t)
			c, err := Load(file)
			if err == nil || c != nil {
				t.Fatalf("Load = %v, %v; want an error alone", c, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error prints a password")
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

func TestEnvironment(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string // dump, or the error
	}{
		{"string", map[string]string{"MODELWALL_LISTEN": "127.0.0.1:9"}, "listen: 127.0.0.1:9\n"},
		{"empty turns off", map[string]string{"MODELWALL_ADMIN_LISTEN": ""}, "admin.listen: \n"},
		{
			"bool and int",
			map[string]string{"MODELWALL_POLICY_MONITOR": "true", "MODELWALL_UPSTREAM_RETRIES": "0"},
			"upstream.retries: 0\npolicy.monitor: true\nwarning: policy.monitor: true: nothing is blocked, only recorded\n",
		},
		{
			"lists",
			map[string]string{"MODELWALL_INTERCEPT": "hub.corp, hf.co", "MODELWALL_PORTS": "443"},
			"intercept: [hub.corp hf.co]\nports: [443]\n",
		},
		{
			"size, duration, level",
			map[string]string{"MODELWALL_SCAN_MAX_BYTES": "1GiB", "MODELWALL_SCAN_TIMEOUT": "90s", "MODELWALL_LOG_LEVEL": "debug"},
			"scan.timeout: 1m30s\nscan.max_bytes: 1GiB\nlog.level: DEBUG\n",
		},
		{"proxy", map[string]string{"MODELWALL_UPSTREAM_PROXY": "http://u:hunter2@p:1"}, "upstream.proxy: http://redacted@p:1\n"},
		{"wins over the file", map[string]string{"MODELWALL_GATE_HOLD": "2s"}, "gate.hold: 2s\n"},
		{"reserved", map[string]string{"MODELWALL_CONFIG": "x", "MODELWALL_TEST_X": "y"}, ""},
		{
			"wrong values",
			map[string]string{"MODELWALL_POLICY_MONITOR": "yes", "MODELWALL_CACHE_LEAVES": "many", "MODELWALL_PORTS": "https", "MODELWALL_GATE_HOLD": "20s"},
			`MODELWALL_CACHE_LEAVES: cache.leaves: "many": expected a whole number
MODELWALL_GATE_HOLD: gate.hold: 20s: expected more than 0s and at most 9s, because the Hub's clients give up when no response header comes within 10s
MODELWALL_POLICY_MONITOR: policy.monitor: "yes": expected true or false
MODELWALL_PORTS: ports: "https": expected whole numbers separated by commas`,
		},
		{
			"unknown",
			map[string]string{"MODELWALL_ADMIN_LISTN": "x", "MODELWALL_ADMIN_LISTEN": "y"},
			`MODELWALL_ADMIN_LISTEN: admin.listen: "y": expected host:port with a number as port, such as 127.0.0.1:8080
environment: unknown variable "MODELWALL_ADMIN_LISTN" (did you mean "MODELWALL_ADMIN_LISTEN"?)`,
		},
		{
			"password",
			map[string]string{"MODELWALL_UPSTREAM_PROXY": "http://u:hunter2#@p:1"},
			`MODELWALL_UPSTREAM_PROXY: upstream.proxy: the value is not shown, it may hold a password: expected http://[user:password@]host:port or https://…, with special characters of user and password percent-encoded`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hermetic(t)
			file := filepath.Join(t.TempDir(), "proxy.yaml")
			if err := os.WriteFile(file, []byte("gate: {hold: 8s}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			c, err := Load(file)
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = dump(c)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSettingsWinOverEverything(t *testing.T) {
	hermetic(t)
	t.Setenv("MODELWALL_LOG_LEVEL", "warn")
	c, err := Load("", Setting{"log.level", "error", "--log-level"}, Setting{"data_dir", "/there", "--data-dir"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("data_dir: /there\nlog.level: ERROR\n", dump(c)); diff != "" {
		t.Error(diff)
	}
	_, err = Load("", Setting{"log.level", "loud", "--log-level"})
	const want = `--log-level: log.level: "loud": expected one of debug, info, warn, error`
	if err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestDataDir(t *testing.T) {
	tests := []struct{ xdg, home, set, want string }{
		{"/data", "/home/x", "", "/data/modelwall"},
		{"relative", "/home/x", "", "/home/x/.local/share/modelwall"},
		{"", "/home/x", "", "/home/x/.local/share/modelwall"},
		{"", "/home/x", "~/there", "/home/x/there"},
		{"", "", "/srv/m/../mw", "/srv/mw"},
		{"", "", "", "error"},
	}
	for _, test := range tests {
		hermetic(t)
		t.Setenv("XDG_DATA_HOME", test.xdg)
		t.Setenv("HOME", test.home)
		t.Setenv("MODELWALL_DATA_DIR", test.set)
		c, err := Load("")
		got := "error"
		if err == nil {
			got = c.DataDir
		} else if !strings.Contains(err.Error(), "MODELWALL_DATA_DIR") {
			t.Errorf("error without a way out: %v", err)
		}
		if got != test.want {
			t.Errorf("XDG %q HOME %q data_dir %q: %s, want %s", test.xdg, test.home, test.set, got, test.want)
		}
	}
}

func TestFileThatCanNotBeRead(t *testing.T) {
	hermetic(t)
	if _, err := Load("testdata/none.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	for size, refused := range map[int]bool{maxFile: false, maxFile + 1: true} {
		if err := os.WriteFile(big, []byte(strings.Repeat("#", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(big); (err != nil) != refused {
			t.Errorf("file of %d bytes: error %v", size, err)
		}
	}
}
