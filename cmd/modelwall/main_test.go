package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"modelwall/config"
	"modelwall/proxy/audit"
	"modelwall/proxy/store"
	"modelwall/scan"
	"modelwall/scan/engine"
)

var update = flag.Bool("update", false, "write what the scripts compare with")

// The test binary is also the programs that the scripts of testdata run:
// modelwall as it is, modelwall-fake with a stand-in for each part that is not
// this package's, and helpers.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"modelwall": main,
		"modelwall-fake": func() {
			root := newRootCmd(parts{startProxy: startFake, trust: fakeTrust{}, newEngine: markEngine, now: func() time.Time { return time.Time{} }})
			os.Exit(execute(context.Background(), root, os.Stderr))
		},
		"child":        child,
		"fill-records": fillRecords,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "data"))
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"fifo":  fifo,
		},
	})
}

// exits runs a program and checks its exit code: exits 2 modelwall scan x.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// fifo makes a named pipe.
func fifo(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o600))
}

// fakeProxy stands in for a running firewall. MODELWALL_TEST_RECORDS names a
// file with a decision and a path on each line: what it says it did.
type fakeProxy struct {
	summary *audit.Summary
	logTo   io.Writer
}

func startFake(_ context.Context, cfg *config.Config, logTo io.Writer) (privateProxy, error) {
	if cfg.Listen != "127.0.0.1:0" || cfg.Admin.Listen != "" {
		return nil, fmt.Errorf("a private proxy on %s with admin on %q", cfg.Listen, cfg.Admin.Listen)
	}
	if os.Getenv("MODELWALL_TEST_START") == "fail" {
		return nil, errors.New("no firewall today")
	}
	p := &fakeProxy{summary: audit.NewSummary(2), logTo: logTo}
	fmt.Fprintln(logTo, "log: started")
	name := os.Getenv("MODELWALL_TEST_RECORDS")
	if name == "" {
		return p, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		decision, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		p.summary.Record(context.Background(), audit.Record{
			RequestID: "r1", Repo: "models/org/name", Revision: "main", Path: path, Decision: decision, Verdict: scan.Malicious,
		})
	}
	return p, nil
}

func (*fakeProxy) Addr() string              { return "127.0.0.1:41234" }
func (*fakeProxy) CAFile() string            { return "/fake/ca/ca.pem" }
func (*fakeProxy) BundleFile() string        { return "/fake/ca/bundle.pem" }
func (p *fakeProxy) Summary() *audit.Summary { return p.summary }

func (p *fakeProxy) Close(ctx context.Context) error {
	fmt.Fprintln(p.logTo, "log: closed")
	return ctx.Err()
}

// fakeTrust prints what it is asked to do.
type fakeTrust struct{}

func (fakeTrust) Install(c *x509.Certificate) error {
	if os.Getenv("MODELWALL_TEST_TRUST") == "fail" {
		return errors.New("no rights")
	}
	_, err := fmt.Println("trust", c.Subject)
	return err
}

func (fakeTrust) Uninstall(c *x509.Certificate) error {
	_, err := fmt.Println("distrust", c.Subject)
	return err
}

// markScanner claims files that begin with MARK and reports what their lines
// say, so that scripts can have each outcome.
type markScanner struct{}

func (markScanner) Format() string          { return "mark" }
func (markScanner) Version() int            { return 1 }
func (markScanner) Match(p scan.Probe) bool { return strings.HasPrefix(string(p.Head), "MARK") }

func (markScanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	offset := int64(0)
	lines := bufio.NewScanner(f.Section(0, f.Size))
	for ; lines.Scan(); offset += int64(len(lines.Bytes())) + 1 {
		words := strings.SplitN(lines.Text(), " ", 3)
		switch words[0] {
		case "finding":
			var severity scan.Severity
			if err := severity.UnmarshalText([]byte(words[1])); err != nil {
				return err
			}
			message, err := strconv.Unquote(`"` + words[2] + `"`)
			if err != nil {
				return err
			}
			s.Finding(scan.Finding{Rule: "mark.finding", Severity: severity, Message: message, Offset: offset, Technique: "code-execution"})
		case "import":
			s.Import(scan.Import{Module: words[1], Name: words[2], Offset: offset, Called: true})
		case "member":
			err := s.Member(ctx, scan.Member{Name: words[1], Stream: strings.NewReader("MARK\n" + strings.ReplaceAll(words[2], ";", "\n"))})
			if err != nil {
				return err
			}
		case "malformed":
			return scan.Malformed(offset, "cut short")
		case "panic":
			panic("at the scanner")
		}
	}
	return lines.Err()
}

func markEngine(cfg *config.Config) *engine.Engine {
	return engine.New([]scan.Scanner{markScanner{}}, engine.Limits{Depth: cfg.Scan.MaxDepth})
}

// child is a program for `run` to wrap.
func child() {
	args := os.Args[1:]
	switch args[0] {
	case "exit":
		code, err := strconv.Atoi(args[1])
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	case "env":
		for _, name := range args[1:] {
			value, ok := os.LookupEnv(name)
			fmt.Printf("%s=%s %v\n", name, value, ok)
		}
	case "cat":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, "to stderr")
	case "bytes": // prints what a Go string stands for
		text, err := strconv.Unquote(`"` + args[1] + `"`)
		if err != nil {
			panic(err)
		}
		fmt.Print(text)
	case "file": // prints the file that a variable names
		text, err := os.ReadFile(os.Getenv(args[1]))
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s", text)
	case "signal": // waits for one and says which, then ends as told
		signals := make(chan os.Signal, 1)
		signal.Notify(signals)
		fmt.Println("ready")
		for s := range signals {
			if s == syscall.SIGURG || s == syscall.SIGCHLD { // the runtime's own
				continue
			}
			fmt.Println("got", s)
			break
		}
		if args[1] == "die" {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				panic(err)
			}
			select {}
		}
		os.Exit(7)
	}
}

// fillRecords makes a data folder with quarantine entries: fill-records DIR.
func fillRecords() {
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	s, err := store.Open(os.Args[1])
	check(err)
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, path := range []string{"model.bin", "bad\nname\x1b[31m.pkl"} {
		_, err := s.PutQuarantine(context.Background(), store.QuarantineEntry{
			SHA256: strings.Repeat(strconv.Itoa(i+1), 64), Size: 10, Verdict: scan.Malicious,
			Report: scan.Report{
				Verdict: scan.Malicious, Formats: []string{"pickle"},
				Findings: []scan.Finding{{Rule: "pickle.call", Severity: scan.SeverityMalicious, Message: `calls "os.system"`, Offset: 3}},
				Imports:  []scan.Import{{Module: "os", Name: "system", Called: true}},
			},
			Repo: "models/org/name", Revision: "main", Path: path, Client: "10.0.0.1",
			FirstSeen: seen, LastSeen: seen.Add(time.Duration(i) * time.Hour),
		})
		check(err)
	}
	check(s.Close())
}
