package clients

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// server is a running `modelwall serve`.
type server struct {
	t       *testing.T
	cmd     *exec.Cmd
	addr    string        // host:port of the proxy
	ended   chan struct{} // closed when the process is gone and its log read
	log     []string      // lines of stderr; complete once ended
	stopped bool
}

// serve starts the product and waits until it listens. The caller ends it.
func serve(t *testing.T, config string) *server {
	t.Helper()
	s := &server{t: t, ended: make(chan struct{})}
	s.cmd = exec.Command(modelwall(t), "serve", "--config", config)
	s.cmd.Env = cleanEnv()
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		defer close(s.ended)
		defer close(listening)
		s.read(stderr, listening)
		s.cmd.Wait()
	}()
	s.addr = <-listening
	if s.addr == "" {
		<-s.ended
		t.Fatalf("serve did not start:\n%s", strings.Join(s.log, "\n"))
	}
	return s
}

// read keeps the log and tells where the proxy listens.
func (s *server) read(stderr io.Reader, listening chan<- string) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.log = append(s.log, lines.Text())
		var line struct{ Msg, Proxy string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			listening <- line.Proxy
		}
	}
}

// kill ends the process as a power cut would.
func (s *server) kill() {
	s.stopped = true
	s.cmd.Process.Kill()
	<-s.ended
}

// terminate asks the process to end.
func (s *server) terminate() {
	s.t.Helper()
	s.stopped = true
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
}

// wait returns when the process has ended, which must be in order.
func (s *server) wait() {
	s.t.Helper()
	<-s.ended
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("serve ended with %v:\n%s", s.cmd.ProcessState, strings.Join(s.log, "\n"))
	}
	for _, line := range s.log {
		if strings.Contains(line, "panic") || strings.Contains(line, "DATA RACE") {
			s.t.Errorf("in the log: %s", line)
		}
	}
}

// download is what these tests look at of a download's log record.
type download struct {
	Msg, Path, Verdict, Decision string
}

// downloads are the records of the log, once the server has ended.
func (s *server) downloads() (list []download) {
	for _, line := range s.log {
		var d download
		if json.Unmarshal([]byte(line), &d) == nil && d.Msg == "download" {
			list = append(list, d)
		}
	}
	return list
}

// result is what a program did.
type result struct {
	code int
	out  string // stdout and stderr
}

// exitCode is the code of a program that ran; a program that did not is a
// failure of the test.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}
