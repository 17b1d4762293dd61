package table_test

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
	"modelwall/scan/table"
)

var le = binary.LittleEndian

func u32(n int) string { return string(le.AppendUint32(nil, uint32(n))) }

func parquet(footer string) []byte {
	return []byte("PAR1" + strings.Repeat("\x15\x04", 50) + footer + u32(len(footer)) + "PAR1")
}

// framed is a pickle of protocol 4.
func framed(ops string) string {
	return "\x80\x04\x95" + string(le.AppendUint64(nil, uint64(len(ops)))) + ops
}

// schema is an Arrow schema with an extension type.
func schema(params string) string {
	return "\xff\xff\xff\xff\x40\x01\x00\x00\x10\x00\x00\x00" + "ARROW:extension:name" + "arrow.py_extension_type\x00" +
		"ARROW:extension:metadata\x00" + u32(len(params)) + params + strings.Repeat("\x00", 320)
}

const (
	evil   = "\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R."
	sqlite = "SQLite format 3\x00\x10\x00\x01\x01\x00"
)

func samples() map[string][]scantest.Sample {
	const info, low, sus = scan.Info, scan.Low, scan.SeveritySuspicious
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	plain := strings.ReplaceAll(schema("{}"), "py_extension_type", "json_of_some_type")
	page := strings.Repeat("\x00row of a table", 1000)
	lmdb := strings.Repeat("\x00", 16) + "\xde\xc0\xef\xbe" + page
	return map[string][]scantest.Sample{
		"parquet": {
			{Name: "rows", Data: parquet("schema\x00pandas\x00{\"columns\": []}"), Worst: info},
			{Name: "with a schema", Data: parquet("\x0cARROW:schema\x18\xac\x05" + b64(plain) + "\x00\x18"), Worst: info},
			{Name: "pickled type", Data: parquet("\x0cARROW:schema\x18\xac\x05" + b64(schema(evil)) + "\x00\x18"), Worst: sus},
			{Name: "pickled type, older message", Data: parquet("\x0cARROW:schema\x18\xac\x05" + b64(schema(evil)[4:]) + "\x00\x18"), Worst: sus},
			{Name: "length that looks like text", Data: parquet("\x0cARROW:schema\x18Az" + b64(schema(evil)) + "\x00"), Worst: sus},
			{Name: "encrypted", Data: append(parquet("x")[:100], "\x01\x00\x00\x00PARE"...), Worst: low},
			{Name: "cut off", Data: parquet("x")[:50], Worst: low},
		},
		"arrow": {
			{Name: "file", Data: []byte("ARROW1\x00\x00" + plain), Worst: info},
			{Name: "stream", Data: []byte(plain), Worst: info},
			{Name: "pickled type", Data: []byte("ARROW1\x00\x00" + schema(evil)), Worst: sus},
			{Name: "pickled type in a stream", Data: []byte(schema(evil)), Worst: sus},
			{Name: "pickled type at the end", Data: []byte("ARROW1\x00\x00" + strings.Repeat("\x00", 3<<20) + schema(evil)), Worst: sus},
		},
		"sqlite": {
			{Name: "rows", Data: []byte(sqlite + page + "CREATE VIEW a AS SELECT edits FROM b\x00how to load_extension() in SQLite"), Worst: info},
			{Name: "trigger", Data: []byte(sqlite + page + "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT load_extension('/tmp/x.so'); END"), Worst: sus},
			{Name: "pickle", Data: []byte(sqlite + strings.Repeat("\x00", 256<<10-30) + evil + page), Worst: sus},
			{Name: "pickle of a container", Data: []byte(sqlite + "\x80\x02]q\x01cos\nsystem\n"), Worst: sus},
		},
		"lmdb": {
			{Name: "rows", Data: []byte(lmdb), Worst: info},
			{Name: "pickle", Data: []byte(lmdb + evil), Worst: sus},
		},
	}
}

func TestScanners(t *testing.T) {
	for _, s := range table.New() {
		t.Run(s.Format(), func(t *testing.T) { scantest.Run(t, s, samples()[s.Format()]) })
	}
}

func find(format string) scan.Scanner {
	for _, s := range table.New() {
		if s.Format() == format {
			return s
		}
	}
	panic("no such format")
}

// TestHandedOn: pickles whose end is known go to who judges them.
func TestHandedOn(t *testing.T) {
	one := framed("\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.")
	r, err := scantest.Scan(find("sqlite"), "x", []byte(sqlite+strings.Repeat("\x00", 256<<10-200)+one+"rows"+one+"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff"))
	if err != nil || len(r.Members) != 2 || string(r.Members[0].Data) != one || string(r.Members[1].Data) != one {
		t.Errorf("%v, members %q", err, r.Members)
	}
	other := strings.ReplaceAll(schema(evil), "arrow.py_extension_type", "ray.data.arrow_tensor.v9")
	r, err = scantest.Scan(find("parquet"), "x", parquet("\x0cARROW:schema\x18\xac\x05"+base64.StdEncoding.EncodeToString([]byte(other))))
	if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != evil {
		t.Errorf("%v, members %q", err, r.Members)
	}
	r, err = scantest.Scan(find("arrow"), "x", []byte("ARROW1\x00\x00"+schema(evil)))
	if err != nil || len(r.Members) == 0 || string(r.Members[0].Data) != evil {
		t.Errorf("%v, members %q", err, r.Members)
	}
}

func FuzzScan(f *testing.F) {
	for _, list := range samples() {
		for _, s := range list {
			if len(s.Data) < 8<<10 {
				f.Add(s.Data)
			}
		}
	}
	scanners := table.New()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range scanners {
			if s.Match(scantest.Probe("x", b)) {
				scantest.Fuzz(t, s, b)
			}
		}
	})
}
