package rknn_test

import (
	"bytes"
	"testing"

	"modelwall/scan"
	"modelwall/scan/rknn"
	"modelwall/scan/scantest"
)

func model(parts ...string) []byte {
	var b bytes.Buffer
	b.WriteString("RKNN\x01\x00\x00\x00")
	for _, p := range parts {
		b.WriteString(p)
	}
	return b.Bytes()
}

func TestScan(t *testing.T) {
	scantest.Run(t, rknn.New(), []scantest.Sample{
		{Name: "plain", Data: model("model_name=resnet50\ntarget=rk3588\n")},
		{Name: "risky words", Data: model("label=execute_mode_fast\ndescription=network_ready_model\n")},
		{Name: "command", Data: model("notes=cmd.exe /c curl https://host/p && powershell -enc AAAA\n"), Worst: scan.SeveritySuspicious},
	})
}

// Of a large model both ends are searched and the middle is not.
func TestLarge(t *testing.T) {
	weights := string(make([]byte, 2<<20))
	for want, data := range map[scan.Severity][]byte{
		scan.Info:               model(weights, "bash -c 'id'", weights),
		scan.SeveritySuspicious: model(weights, "bash -c 'id'"),
	} {
		if r, err := scantest.Scan(rknn.New(), "x", data); err != nil || r.Worst() != want {
			t.Errorf("%+v, %v; want %v", r.Findings, err, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add(model("bash -c 'id'"))
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, rknn.New(), data) })
}
