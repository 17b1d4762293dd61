package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"modelwall/proxy/audit"
	"modelwall/proxy/store"
	"modelwall/proxy/store/storetest"
	"modelwall/scan"
)

// The test binary runs itself as another process on the same data directory:
// childDir names the directory, childTask what to do.
const (
	childDir  = "STORE_TEST_DIR"
	childTask = "STORE_TEST_TASK"
)

func command(t *testing.T, dir, task string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childTask+"="+task)
	cmd.Stderr = os.Stderr
	return cmd
}

func child() int {
	s, err := store.Open(os.Getenv(childDir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch task := os.Getenv(childTask); task {
	case "forever":
		err = childForever(s)
	case "records":
		err = errors.Join(childRecords(s), s.Close())
	default:
		err = fmt.Errorf("no task %q", task)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// childForever stores content after content and says so line by line, until it
// is killed. Half of it goes through quarantine.
func childForever(s *store.Store) error {
	ctx := context.Background()
	for i := 0; ; i++ {
		content, name := storetest.Content(fmt.Sprint(os.Getpid(), " ", i), 20_000+i)
		path := filepath.Join(s.Blobs().SpoolDir(), fmt.Sprint("part-", i))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		for part := content; len(part) > 0; part = part[min(len(part), 4096):] {
			if _, err := f.Write(part[:min(len(part), 4096)]); err != nil {
				return err
			}
		}
		if err := f.Close(); err != nil {
			return err
		}
		if i%2 == 0 {
			err = s.Blobs().Adopt(ctx, path, name)
		} else {
			err = errors.Join(s.Blobs().Quarantine(ctx, path, name), s.Blobs().Release(ctx, name))
		}
		err = errors.Join(err, s.PutVerdict(ctx, storetest.Verdict(name, scan.Clean)))
		if err != nil {
			return err
		}
		fmt.Println(name)
	}
}

var blobName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// checkVisible fails the test unless every file that could be served is whole
// and under its name. It returns how many there are.
func checkVisible(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	for _, area := range []string{"blobs", "quarantine"} {
		files, err := filepath.Glob(filepath.Join(dir, area, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) {
				continue // moved on since
			}
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(file)
			if !blobName.MatchString(name) || filepath.Base(filepath.Dir(file)) != name[:2] || storetest.Hash(content) != name {
				t.Errorf("%s holds %d bytes that hash to %s", file, len(content), storetest.Hash(content))
			}
			n++
		}
	}
	return n
}

func TestKillAtAnyTime(t *testing.T) {
	dir := t.TempDir()
	var promised []string
	for round := range 6 {
		cmd := command(t, dir, "forever")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Kill it in the middle of whatever comes after some line. What it
		// still said before it died counts as well.
		lines := bufio.NewScanner(out)
		for said := 0; lines.Scan(); said++ {
			if name := lines.Text(); blobName.MatchString(name) {
				promised = append(promised, name)
			}
			if said == 2+3*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v", err)
		}
		if n := checkVisible(t, dir); n < len(promised) {
			t.Errorf("round %d: %d contents, %d were promised", round, n, len(promised))
		}
		s := mustOpen(t, dir)
		for _, name := range promised {
			if got := storetest.Read(t, s.Blobs(), name); storetest.Hash(got) != name {
				t.Errorf("round %d: %s has %d other bytes", round, name, len(got))
			}
			if _, ok, err := s.Verdict(t.Context(), name, "pickle/1 zip/2"); !ok || err != nil {
				t.Errorf("round %d: verdict of %s: %v, %v", round, name, ok, err)
			}
		}
		spools, err := os.ReadDir(filepath.Join(dir, "spool"))
		if err != nil {
			t.Fatal(err)
		}
		if len(spools) != 1 || filepath.Join(dir, "spool", spools[0].Name()) != s.Blobs().SpoolDir() {
			t.Errorf("round %d: spools %v", round, spools)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(promised) < 20 {
		t.Errorf("only %d contents were ever stored", len(promised))
	}
}

const childRounds = 20

func childRecords(s *store.Store) error {
	ctx := context.Background()
	for i := range childRounds {
		content, name := storetest.Content(fmt.Sprint(i), 1000)
		path := filepath.Join(s.Blobs().SpoolDir(), "part")
		e := store.QuarantineEntry{SHA256: name, Verdict: scan.Malicious, Report: scan.Report{Verdict: scan.Malicious}}
		id, err := s.PutQuarantine(ctx, e)
		err = errors.Join(err,
			os.WriteFile(path, content, 0o600),
			s.Blobs().Quarantine(ctx, path, name),
			s.PutVerdict(ctx, storetest.Verdict(name, scan.Malicious)),
			s.PutDownload(ctx, audit.Record{RequestID: fmt.Sprint(os.Getpid(), i)}),
			s.Release(ctx, id, "why", "child", e.LastSeen))
		if err != nil {
			return err
		}
	}
	return nil
}

// TestProcessesAtOnce starts several processes on a directory that does not
// exist yet, while this one works there as well and looks at all files.
func TestProcessesAtOnce(t *testing.T) {
	const children = 3
	dir := filepath.Join(t.TempDir(), "new", "data")
	var cmds []*exec.Cmd
	for range children {
		cmd := command(t, dir, "records")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	s := mustOpen(t, dir)
	ended := make(chan error)
	go func() {
		var errs []error
		for _, cmd := range cmds {
			errs = append(errs, cmd.Wait())
		}
		ended <- errors.Join(errs...)
	}()
	if err := childRecords(s); err != nil {
		t.Error(err)
	}
	for running := true; running; {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			running = false
		default:
			checkVisible(t, dir)
		}
	}
	found, err := s.Downloads(t.Context(), store.DownloadQuery{Limit: 1000})
	if err != nil || len(found) != (children+1)*childRounds {
		t.Errorf("%d download records, %v", len(found), err)
	}
	entries, err := s.ListQuarantine(t.Context(), store.QuarantineFilter{Released: true})
	if err != nil || len(entries) != childRounds {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if e.Count != children+1 || e.Release == nil || e.Release.Who != "child" {
			t.Errorf("entry %s: count %d, release %v", e.ID, e.Count, e.Release)
		}
	}
	// The spools of the children went with them, ours is here.
	spools, err := os.ReadDir(filepath.Join(dir, "spool"))
	if err != nil || len(spools) != 1 || !strings.HasSuffix(s.Blobs().SpoolDir(), spools[0].Name()) {
		t.Errorf("spools %v, %v", spools, err)
	}
}
