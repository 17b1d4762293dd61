package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// startWrapped starts `modelwall run -- child args` and returns when the child
// says that it is ready.
func startWrapped(t *testing.T, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Args = append([]string{"modelwall-fake", "run", "--quiet", "--", "child"}, args...)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+t.TempDir())
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("first line %q, error %v", line, err)
	}
	return cmd, out
}

func TestRunPassesSignalsOn(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		t.Run(s.String(), func(t *testing.T) {
			cmd, out := startWrapped(t, "signal", "exit")
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(out)
			if err != nil || strings.TrimSpace(string(said)) != "got "+s.String() {
				t.Errorf("the command said %q, error %v", said, err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
				t.Errorf("ended with %v, want the command's exit code 7", err)
			}
		})
	}
}

func TestRunOfACommandThatIsKilled(t *testing.T) {
	cmd, out := startWrapped(t, "signal", "die")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 128+int(syscall.SIGKILL) {
		t.Errorf("ended with %v, want exit code 137", err)
	}
}
