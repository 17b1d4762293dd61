package clients

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan/scantest"
)

// A verdict that comes after the header has left: the body follows, or the
// client sees a break, and the reason when it tries again.
func TestLateVerdict(t *testing.T) {
	w := newWallWith(t, "gate: {hold: 1ms}")
	for i, c := range []struct {
		name, tool string
		args       []string
	}{
		{"curl over HTTP/1.1", "curl", []string{"-q", "-sS", "--fail-with-body", "--suppress-connect-headers", "-D-", "-of", "--http1.1"}},
		{"curl over HTTP/2", "curl", []string{"-q", "-sS", "--fail-with-body", "--suppress-connect-headers", "-D-", "-of", "--http2"}},
		{"wget", "wget", []string{"-nv", "-S", "-Of", "--ca-certificate=" + w.data + "/ca/bundle.pem"}},
	} {
		for name, content := range map[string][]byte{
			"clean":     sample.Checkpoint(uint64(30+i), 6<<20),
			"malicious": sample.CheckpointMalicious(uint64(30+i), 6<<20),
		} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				w, tool := w.in(t), scantest.Tool(t, c.tool)
				id := fmt.Sprint("acme/", name, i)
				source := newSlow(t, content, 1)
				if _, err := w.hub.AddRepo(hubtest.Repo{ID: id, Files: hubtest.Files{"m.bin": source}}); err != nil {
					t.Fatal(err)
				}
				args := append(c.args, hubURL+id+"/resolve/main/m.bin")
				r := w.untilHeader(source, tool, args...)
				if name == "clean" {
					w.arrived(r, w.path("f"), content)
					return
				}
				w.refused(r, content)
				if c.tool != "wget" { // which tries again by itself
					r = w.run(tool, args...)
					w.refused(r, content)
				}
				w.told(r)
			})
		}
	}
}

// untilHeader runs a client that prints headers, and lets the Hub send content
// once a header of success is there.
func (w *wall) untilHeader(source *slow, tool string, args ...string) result {
	w.t.Helper()
	cmd := w.command(w.dir, tool, args...)
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	code := make(chan int, 1)
	go func() {
		_ = cmd.Wait() // its code says it all
		write.Close()
		code <- cmd.ProcessState.ExitCode()
	}()
	var out strings.Builder
	early := false
	for lines := bufio.NewScanner(read); lines.Scan(); {
		out.WriteString(lines.Text() + "\n")
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "HTTP/") && strings.Contains(line, " 200") {
			early = true
			source.goOn()
		}
	}
	if !early {
		w.t.Errorf("no header before the verdict:\n%s", &out)
	}
	return result{<-code, out.String()}
}
