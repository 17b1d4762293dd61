package marshal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan/keras/marshal"
)

// dumps are functions marshalled by real Pythons.
func dumps() []struct{ version, source, code string } {
	return []struct{ version, source, code string }{
		{"2.7", "eval", "YwEAAAABAAAAAgAAAEMAAABzCgAAAHQAAGQBAIMBAFMoAgAAAE50AQAAADEoAQAAAHQEAAAAZXZhbCgBAAAAdAEAAAB4KAAAAAAoAAAAAHMNAAAAL3RtcC96ei9tZC5weXQIAAAAPGxhbWJkYT4UAAAAdAAAAAA="},
		{"2.7", "imp", "YwEAAAADAAAABQAAAEMAAABzQQAAAGQBAGQAAGwAAH0BAGQBAGQCAGwBAG0CAH0CAAF8AQBqAwBqBAB8AgBqBQB8AABkAwBkBACDAQFkAwBkAQCDAQFTKAUAAABOaf////8oAQAAAHQHAAAAYmFja2VuZHQEAAAAYXhpc2kBAAAAKAYAAAB0CgAAAHRlbnNvcmZsb3d0EAAAAHRlbnNvcmZsb3cua2VyYXNSAAAAAHQCAAAAbm50DAAAAGwyX25vcm1hbGl6ZXQEAAAAbWVhbigDAAAAdAEAAAB4dAIAAAB0ZnQBAAAASygAAAAAKAAAAABzDQAAAC90bXAvenovbWQucHl0AwAAAGltcAYAAABzBgAAAAABDAEQAQ=="},
		{"2.7", "mul", "YwEAAAABAAAAAgAAAEMAAABzCAAAAHwAAGQBABRTKAIAAABOaQIAAAAoAAAAACgBAAAAdAEAAAB4KAAAAAAoAAAAAHMNAAAAL3RtcC96ei9tZC5weXQIAAAAPGxhbWJkYT4TAAAAdAAAAAA="},
		{"2.7", "os", "YwEAAAABAAAAAgAAAEMAAABzGQAAAHQAAGQBAIMBAGoBAGQCAIMBAHAYAHwAAFMoAwAAAE50AgAAAG9zdAIAAABpZCgCAAAAdAoAAABfX2ltcG9ydF9fdAYAAABzeXN0ZW0oAQAAAHQBAAAAeCgAAAAAKAAAAABzDQAAAC90bXAvenovbWQucHl0CAAAADxsYW1iZGE+FAAAAHQAAAAA"},
		{"2.7", "tf", "YwEAAAABAAAABgAAAEMAAABzIgAAAHQAAGoBAGoCAHwAAGQBAGQCAGQDAGcCAGQEAHQDAIMBAlMoBQAAAE50BAAAAGF4aXNpAQAAAGkCAAAAdAgAAABrZWVwZGltcygEAAAAdAIAAAB0ZnQEAAAAbWF0aHQLAAAAcmVkdWNlX21lYW50BAAAAFRydWUoAQAAAHQBAAAAeCgAAAAAKAAAAABzDQAAAC90bXAvenovbWQucHl0CAAAADxsYW1iZGE+EwAAAHQAAAAA"},
		{"3.6", "eval", "4wEAAAAAAAAAAQAAAAIAAABDAAAAcwgAAAB0AGQBgwFTACkCTtoBMSkB2gRldmFsKQHaAXipAHIEAAAA+g0vdG1wL3p6L21kLnB52gg8bGFtYmRhPhQAAABzAAAAAA=="},
		{"3.6", "imp", "4wEAAAAAAAAAAwAAAAUAAABDAAAAcy4AAABkAWQAbAB9AWQBZAJsAW0CfQIBAHwBagNqBHwCagV8AGQDZASNAmQFZASNAlMAKQZO6QAAAAApAdoHYmFja2VuZOkBAAAAKQHaBGF4aXPp/////ykG2gp0ZW5zb3JmbG932hB0ZW5zb3JmbG93LmtlcmFzcgIAAADaAm5u2gxsMl9ub3JtYWxpemXaBG1lYW4pA9oBeNoCdGbaAUupAHIOAAAA+g0vdG1wL3p6L21kLnB52gNpbXAGAAAAcwYAAAAAAQgBDAE="},
		{"3.6", "mul", "4wEAAAAAAAAAAQAAAAIAAABDAAAAcwgAAAB8AGQBFABTACkCTukCAAAAqQApAdoBeHICAAAAcgIAAAD6DS90bXAvenovbWQucHnaCDxsYW1iZGE+EwAAAHMAAAAA"},
		{"3.6", "os", "4wEAAAAAAAAAAQAAAAIAAABDAAAAcxIAAAB0AGQBgwFqAWQCgwFwEHwAUwApA07aAm9z2gJpZCkC2gpfX2ltcG9ydF9f2gZzeXN0ZW0pAdoBeKkAcgYAAAD6DS90bXAvenovbWQucHnaCDxsYW1iZGE+FAAAAHMAAAAA"},
		{"3.6", "tf", "4wEAAAAAAAAAAQAAAAUAAABDAAAAcxYAAAB0AGoBagJ8AGQBZAJnAmQDZASNA1MAKQVO6QEAAADpAgAAAFQpAtoEYXhpc9oIa2VlcGRpbXMpA9oCdGbaBG1hdGjaC3JlZHVjZV9tZWFuKQHaAXipAHIJAAAA+g0vdG1wL3p6L21kLnB52gg8bGFtYmRhPhMAAABzAAAAAA=="},
		{"3.7", "imp", "4wEAAAAAAAAAAwAAAAUAAABDAAAAcy4AAABkAWQAbAB9AWQBZAJsAW0CfQIBAHwBagNqBHwCagV8AGQDZASNAmQFZASNAlMAKQZO6QAAAAApAdoHYmFja2VuZOkBAAAAKQHaBGF4aXPp/////ykG2gp0ZW5zb3JmbG932hB0ZW5zb3JmbG93LmtlcmFzcgIAAADaAm5u2gxsMl9ub3JtYWxpemXaBG1lYW4pA9oBeNoCdGbaAUupAHIOAAAA+g0vdG1wL3p6L21kLnB52gNpbXAGAAAAcwYAAAAAAQgBDAE="},
		{"3.8", "eval", "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAdABkAYMBUwApAk7aATEpAdoEZXZhbKkB2gF4qQByBQAAAPoNL3RtcC96ei9tZC5wedoIPGxhbWJkYT4UAAAA8wAAAAA="},
		{"3.8", "imp", "4wEAAAAAAAAAAAAAAAMAAAAFAAAAQwAAAHMuAAAAZAFkAGwAfQFkAWQCbAFtAn0CAQB8AWoDagR8AmoFfABkA2QEjQJkBWQEjQJTACkGTukAAAAAKQHaB2JhY2tlbmTpAQAAAKkB2gRheGlz6f////8pBtoKdGVuc29yZmxvd9oQdGVuc29yZmxvdy5rZXJhc3ICAAAA2gJubtoMbDJfbm9ybWFsaXpl2gRtZWFuKQPaAXjaAnRm2gFLqQByDwAAAPoNL3RtcC96ei9tZC5wedoDaW1wBgAAAHMGAAAAAAEIAQwB"},
		{"3.8", "mul", "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAfABkARQAUwApAk7pAgAAAKkAqQHaAXhyAgAAAHICAAAA+g0vdG1wL3p6L21kLnB52gg8bGFtYmRhPhMAAADzAAAAAA=="},
		{"3.8", "os", "4wEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMSAAAAdABkAYMBoAFkAqEBcBB8AFMAKQNO2gJvc9oCaWQpAtoKX19pbXBvcnRfX9oGc3lzdGVtqQHaAXipAHIHAAAA+g0vdG1wL3p6L21kLnB52gg8bGFtYmRhPhQAAADzAAAAAA=="},
		{"3.8", "tf", "4wEAAAAAAAAAAAAAAAEAAAAFAAAAQwAAAHMWAAAAdABqAWoCfABkAWQCZwJkA2QEjQNTACkFTukBAAAA6QIAAABUKQLaBGF4aXPaCGtlZXBkaW1zKQPaAnRm2gRtYXRo2gtyZWR1Y2VfbWVhbqkB2gF4qQByCgAAAPoNL3RtcC96ei9tZC5wedoIPGxhbWJkYT4TAAAA8wAAAAA="},
		{"3.9", "imp", "4wEAAAAAAAAAAAAAAAMAAAAFAAAAQwAAAHMuAAAAZAFkAGwAfQFkAWQCbAFtAn0CAQB8AWoDagR8AmoFfABkA2QEjQJkBWQEjQJTACkGTukAAAAAKQHaB2JhY2tlbmTpAQAAAKkB2gRheGlz6f////8pBtoKdGVuc29yZmxvd9oQdGVuc29yZmxvdy5rZXJhc3ICAAAA2gJubtoMbDJfbm9ybWFsaXpl2gRtZWFuKQPaAXjaAnRm2gFLqQByDwAAAPoNL3RtcC96ei9tZC5wedoDaW1wBgAAAHMGAAAAAAEIAQwB"},
		{"3.10", "eval", "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAdABkAYMBUwApAk7aATEpAdoEZXZhbKkB2gF4qQByBQAAAPoNL3RtcC96ei9tZC5wedoIPGxhbWJkYT4UAAAA8wIAAAAIAA=="},
		{"3.10", "imp", "4wEAAAAAAAAAAAAAAAMAAAAFAAAAQwAAAHMuAAAAZAFkAGwAfQFkAWQCbAFtAn0CAQB8AWoDagR8AmoFfABkA2QEjQJkBWQEjQJTACkGTukAAAAAKQHaB2JhY2tlbmTpAQAAAKkB2gRheGlz6f////8pBtoKdGVuc29yZmxvd9oQdGVuc29yZmxvdy5rZXJhc3ICAAAA2gJubtoMbDJfbm9ybWFsaXpl2gRtZWFuKQPaAXjaAnRm2gFLqQByDwAAAPoNL3RtcC96ei9tZC5wedoDaW1wBgAAAHMGAAAACAEMARoB"},
		{"3.10", "mul", "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMIAAAAfABkARQAUwApAk7pAgAAAKkAqQHaAXhyAgAAAHICAAAA+g0vdG1wL3p6L21kLnB52gg8bGFtYmRhPhMAAADzAgAAAAgA"},
		{"3.10", "os", "4wEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMSAAAAdABkAYMBoAFkAqEBcAh8AFMAKQNO2gJvc9oCaWQpAtoKX19pbXBvcnRfX9oGc3lzdGVtqQHaAXipAHIHAAAA+g0vdG1wL3p6L21kLnB52gg8bGFtYmRhPhQAAABzAgAAABIA"},
		{"3.10", "tf", "4wEAAAAAAAAAAAAAAAEAAAAFAAAAQwAAAHMWAAAAdABqAWoCfABkAWQCZwJkA2QEjQNTACkFTukBAAAA6QIAAABUKQLaBGF4aXPaCGtlZXBkaW1zKQPaAnRm2gRtYXRo2gtyZWR1Y2VfbWVhbqkB2gF4qQByCgAAAPoNL3RtcC96ei9tZC5wedoIPGxhbWJkYT4TAAAAcwIAAAAWAA=="},
		{"3.11", "eval", "4wEAAAAAAAAAAAAAAAMAAAADAAAA8yAAAACXAHQBAAAAAAAAAAAAAGQBpgEAAKsBAAAAAAAAAABTACkCTtoBMSkB2gRldmFsqQHaAXhzAQAAACD6DS90bXAvenovbWQucHn6CDxsYW1iZGE+cgcAAAAUAAAAcwwAAACAAJUkkHORKZQpgADzAAAAAA=="},
		{"3.11", "imp", "4wEAAAAAAAAAAAAAAAYAAAADAAAA83gAAACXAGQBZABsAH0BZAFkAmwBbQJ9AgEAfAFqAwAAAAAAAAAAoAQAAAAAAAAAAAAAAAAAAAAAAAAAAHwCoAUAAAAAAAAAAAAAAAAAAAAAAAAAAHwAZAOsBKYCAACrAgAAAAAAAAAAZAWsBKYCAACrAgAAAAAAAAAAUwApBk7pAAAAACkB2gdiYWNrZW5k6QEAAACpAdoEYXhpc+n/////KQbaCnRlbnNvcmZsb3faEHRlbnNvcmZsb3cua2VyYXNyAwAAANoCbm7aDGwyX25vcm1hbGl6ZdoEbWVhbikD2gF42gJ0ZtoBS3MDAAAAICAg+g0vdG1wL3p6L21kLnB52gNpbXByEQAAAAYAAABzSwAAAIAA2AQb0AQb0AQb0AQb2AQt0AQt0AQt0AQt0AQt0AQt2AsNjDXXCx3SCx2YYZ9mmmagUahRmGbRHi/UHi+wYtALHdELOdQLOdAEOfMAAAAA"},
		{"3.11", "mul", "4wEAAAAAAAAAAAAAAAIAAAADAAAA8wwAAACXAHwAZAF6BQAAUwApAk7pAgAAAKkAqQHaAXhzAQAAACD6DS90bXAvenovbWQucHn6CDxsYW1iZGE+cgcAAAATAAAAcwoAAACAAJBBkGGRQ4AA8wAAAAA="},
		{"3.11", "os", "4wEAAAAAAAAAAAAAAAMAAAADAAAA80oAAACXAHQBAAAAAAAAAAAAAGQBpgEAAKsBAAAAAAAAAACgAQAAAAAAAAAAAAAAAAAAAAAAAAAAZAKmAQAAqwEAAAAAAAAAAHABfABTACkDTtoCb3PaAmlkKQLaCl9faW1wb3J0X1/aBnN5c3RlbakB2gF4cwEAAAAg+g0vdG1wL3p6L21kLnB5+gg8bGFtYmRhPnIJAAAAFAAAAHMhAAAAgACtKrBU0So61Co61ypB0ipBwCTRKkfUKkfQKkzIMYAA8wAAAAA="},
		{"3.11", "tf", "4wEAAAAAAAAAAAAAAAUAAAADAAAA80oAAACXAHQAAAAAAAAAAAAAAGoBAAAAAAAAAACgAgAAAAAAAAAAAAAAAAAAAAAAAAAAfABkAWQCZwJkA6wEpgMAAKsDAAAAAAAAAABTACkFTukBAAAA6QIAAABUKQLaBGF4aXPaCGtlZXBkaW1zKQPaAnRm2gRtYXRo2gtyZWR1Y2VfbWVhbqkB2gF4cwEAAAAg+g0vdG1wL3p6L21kLnB5+gg8bGFtYmRhPnIMAAAAEwAAAHMiAAAAgAClcqR31yc60ic6uDHAQcBhwDXQU1fQJzrRJ1jUJ1iAAPMAAAAA"},
		{"3.12", "eval", "4wEAAAAAAAAAAAAAAAMAAAADAAAA8xgAAACXAHQBAAAAAAAAAABkAasBAAAAAAAAUwApAk7aATEpAdoEZXZhbKkB2gF4cwEAAAAg+g0vdG1wL3p6L21kLnB5+gg8bGFtYmRhPnIHAAAAFAAAAHMKAAAAgACUJJBzkymAAPMAAAAA"},
		{"3.12", "imp", "4wEAAAAAAAAAAAAAAAYAAAADAAAA83IAAACXAGQBZABsAH0BZAFkAmwBbQJ9AgEAfAFqBgAAAAAAAAAAAAAAAAAAAAAAAGoJAAAAAAAAAAAAAAAAAAAAAAAAfAJqCwAAAAAAAAAAAAAAAAAAAAAAAHwAZAOsBKsCAAAAAAAAZAWsBKsCAAAAAAAAUwApBk7pAAAAACkB2gdiYWNrZW5k6QEAAACpAdoEYXhpc+n/////KQbaCnRlbnNvcmZsb3faEHRlbnNvcmZsb3cua2VyYXNyAwAAANoCbm7aDGwyX25vcm1hbGl6ZdoEbWVhbikD2gF42gJ0ZtoBS3MDAAAAICAg+g0vdG1wL3p6L21kLnB52gNpbXByEQAAAAYAAABzLwAAAIAA2wQb3QQt2AsNjzWJNdcLHdELHZhhn2aZZqBRqFGYZtMeL7Bi0Asd0ws50AQ58wAAAAA="},
		{"3.12", "mul", "4wEAAAAAAAAAAAAAAAIAAAADAAAA8wwAAACXAHwAZAF6BQAAUwApAk7pAgAAAKkAqQHaAXhzAQAAACD6DS90bXAvenovbWQucHn6CDxsYW1iZGE+cgcAAAATAAAAcwoAAACAAJBBkGGRQ4AA8wAAAAA="},
		{"3.12", "os", "4wEAAAAAAAAAAAAAAAMAAAADAAAA8z4AAACXAHQBAAAAAAAAAABkAasBAAAAAAAAagMAAAAAAAAAAAAAAAAAAAAAAABkAqsBAAAAAAAAeAFzAgEAfABTACkDTtoCb3PaAmlkKQLaCl9faW1wb3J0X1/aBnN5c3RlbakB2gF4cwEAAAAg+g0vdG1wL3p6L21kLnB5+gg8bGFtYmRhPnIJAAAAFAAAAHMbAAAAgACsKrBU0yo61ypB0SpBwCTTKkfSKkzIMYAA8wAAAAA="},
		{"3.12", "tf", "4wEAAAAAAAAAAAAAAAUAAAADAAAA80oAAACXAHQAAAAAAAAAAABqAgAAAAAAAAAAAAAAAAAAAAAAAGoFAAAAAAAAAAAAAAAAAAAAAAAAfABkAWQCZwJkA6wEqwMAAAAAAABTACkFTukBAAAA6QIAAABUKQLaBGF4aXPaCGtlZXBkaW1zKQPaAnRm2gRtYXRo2gtyZWR1Y2VfbWVhbqkB2gF4cwEAAAAg+g0vdG1wL3p6L21kLnB5+gg8bGFtYmRhPnIMAAAAEwAAAHMhAAAAgACkcqd3oXfXJzrRJzq4McBBwGHANdBTV9AnOtMnWIAA8wAAAAA="},
		{"3.13", "eval", "4wEAAAAAAAAAAAAAAAMAAAADAAAA8xgAAACVAFsBAAAAAAAAAABTATUBAAAAAAAAJAApAk7aATEpAdoEZXZhbKkB2gF4cwEAAAAg2g0vdG1wL3p6L21kLnB52gg8bGFtYmRhPnIHAAAAFAAAAHMIAAAAgACUJJBzlCnzAAAAAA=="},
		{"3.13", "imp", "4wEAAAAAAAAAAAAAAAcAAAADAAAA82YAAACVAFMBUwBLAG4BUwFTAksBSgJuAiAAVQFSBgAAAAAAAAAAAAAAAAAAAAAAAFIJAAAAAAAAAAAAAAAAAAAAAAAAVQJSCwAAAAAAAAAAAAAAAAAAAAAAAFUAUwNTBDkCUwVTBDkCJAApBk7pAAAAACkB2gdiYWNrZW5k6QEAAACpAdoEYXhpc+n/////KQbaCnRlbnNvcmZsb3faEHRlbnNvcmZsb3cua2VyYXNyAwAAANoCbm7aDGwyX25vcm1hbGl6ZdoEbWVhbikD2gF42gJ0ZtoBS3MDAAAAICAg2g0vdG1wL3p6L21kLnB52gNpbXByEQAAAAYAAABzLwAAAIAA2wQb3QQt2AsNjzWJNdcLHdELHZhhn2aZZqBRqFGYZtAeL7Bi0Asd0As50AQ58wAAAAA="},
		{"3.13", "mul", "4wEAAAAAAAAAAAAAAAIAAAADAAAA8wwAAACVAFUAUwEtBQAAJAApAk7pAgAAAKkAqQHaAXhzAQAAACDaDS90bXAvenovbWQucHnaCDxsYW1iZGE+cgcAAAATAAAAcwgAAACAAJBBkGGSQ/MAAAAA"},
		{"3.13", "os", "4wEAAAAAAAAAAAAAAAMAAAADAAAA80gAAACVAFsBAAAAAAAAAABTATUBAAAAAAAAUgMAAAAAAAAAAAAAAAAAAAAAAABTAjUBAAAAAAAAPQEoAAAAAAAAAGQCAAAgAFUAJAApA07aAm9z2gJpZCkC2gpfX2ltcG9ydF9f2gZzeXN0ZW2pAdoBeHMBAAAAINoNL3RtcC96ei9tZC5wedoIPGxhbWJkYT5yCQAAABQAAABzHAAAAIAArCqwVNMqOtcqQdEqQcAk0ypH1ypMyDHQKkzzAAAAAA=="},
		{"3.13", "tf", "4wEAAAAAAAAAAAAAAAYAAAADAAAA80QAAACVAFsAAAAAAAAAAABSAgAAAAAAAAAAAAAAAAAAAAAAAFIFAAAAAAAAAAAAAAAAAAAAAAAAVQBTAVMCLwJTA1MEOQMkACkFTukBAAAA6QIAAABUKQLaBGF4aXPaCGtlZXBkaW1zKQPaAnRm2gRtYXRo2gtyZWR1Y2VfbWVhbqkB2gF4cwEAAAAg2g0vdG1wL3p6L21kLnB52gg8bGFtYmRhPnIMAAAAEwAAAHMfAAAAgACkcqd3oXfXJzrRJzq4McBBwGHANdBTV9AnOtEnWPMAAAAA"},
	}
}

func TestVersions(t *testing.T) {
	want := map[string]marshal.Uses{
		"mul":  {Sound: true},
		"tf":   {Globals: []string{"tf"}, Attributes: []string{"math", "reduce_mean"}, Sound: true},
		"imp":  {Attributes: []string{"nn", "l2_normalize", "mean"}, Imports: []string{"tensorflow", "tensorflow.keras", "backend"}, Sound: true},
		"os":   {Globals: []string{"__import__"}, Attributes: []string{"system"}, Sound: true},
		"eval": {Globals: []string{"eval"}, Sound: true},
	}
	for _, c := range dumps() {
		t.Run(c.version+" "+c.source, func(t *testing.T) {
			raw, err := base64.StdEncoding.DecodeString(c.code)
			if err != nil {
				t.Fatal(err)
			}
			codes, err := marshal.Parse(raw)
			if err != nil || len(codes) != 1 {
				t.Fatalf("%d code objects, error %v; want 1", len(codes), err)
			}
			u := codes[0].Uses()
			if c.version == "2.7" && c.source == "tf" { // True is a variable there
				u.Globals = u.Globals[:1]
			}
			if diff := cmp.Diff(want[c.source], u); diff != "" {
				t.Errorf("uses (-want +got):\n%s", diff)
			}
			if _, err := marshal.Parse(append(raw, "more"...)); err != nil {
				t.Errorf("with trailing data: %v", err)
			}
			for n := range raw {
				if _, err := marshal.Parse(raw[:n]); !errors.Is(err, marshal.ErrNotCode) {
					t.Fatalf("the first %d bytes: error %v, want ErrNotCode", n, err)
				}
			}
		})
	}
}

// code is a code object of Python 3.8 around constants and a name.
func code(consts []byte, bytecode string) []byte {
	b := append([]byte{'c'}, make([]byte, 24)...)
	b = append(b, str('s', bytecode)...)
	b = append(b, consts...)
	b = append(b, ')', 1)
	b = append(b, str('u', "name")...)
	for range 3 {
		b = append(b, ')', 0)
	}
	b = append(b, str('u', "file")...)
	b = append(b, str('u', "func")...)
	b = append(b, 0, 0, 0, 0)
	return append(b, str('s', "")...)
}

func str(kind byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(s))), s...)
}

func TestConstants(t *testing.T) {
	inner := code(append([]byte{')', 1}, str('u', "deep")...), "d\x00S\x00")
	consts := append([]byte{')', 4, 'N', '>', 1, 0, 0, 0, 'z', 2, 'i', 'n', '[', 1, 0, 0, 0, 'T'}, inner...)
	codes, err := marshal.Parse(code(consts, "d\x03S\x00"))
	if err != nil || len(codes) != 2 {
		t.Fatalf("%d code objects, error %v; want 2", len(codes), err)
	}
	if diff := cmp.Diff([][]string{{"in"}, {"deep"}}, [][]string{codes[0].Strings, codes[1].Strings}); diff != "" {
		t.Errorf("constants (-want +got):\n%s", diff)
	}
}

// TestUnsound: instructions that refer to what is not there.
func TestUnsound(t *testing.T) {
	for name, c := range map[string]struct {
		bytecode string
		sound    bool
	}{
		"constant":         {"d\x00S\x00", true},
		"no constant":      {"d\x01S\x00", false},
		"far constant":     {"\x90\x01d\x00S\x00", false},
		"name":             {"t\x00S\x00", true},
		"no name":          {"t\x01S\x00", false},
		"half instruction": {"d\x00S", false},
	} {
		codes, err := marshal.Parse(code([]byte{')', 1, 'N'}, c.bytecode))
		if err != nil || len(codes) != 1 {
			t.Fatalf("%s: %d code objects, error %v", name, len(codes), err)
		}
		if got := codes[0].Uses().Sound; got != c.sound {
			t.Errorf("%s: Sound = %v, want %v", name, got, c.sound)
		}
	}
}

// TestBounds: what grows when it is read comes to an end.
func TestBounds(t *testing.T) {
	nested := append(bytes.Repeat([]byte{')', 1}, 5000), 'N')
	if _, err := marshal.Parse(code(nested, "")); !errors.Is(err, marshal.ErrLimit) {
		t.Errorf("nested: error %v, want ErrLimit", err)
	}
	long := append([]byte{'(', 0, 0, 32, 0}, bytes.Repeat([]byte{'N'}, 2<<20)...)
	if _, err := marshal.Parse(code(long, "")); !errors.Is(err, marshal.ErrLimit) {
		t.Errorf("long: error %v, want ErrLimit", err)
	}
	shared := append([]byte{'(', 0, 0, 2, 0, '(' | 0x80, 0, 0, 1, 0}, bytes.Repeat([]byte{'N'}, 1<<16)...)
	inner := code([]byte{'r', 0, 0, 0, 0}, "")
	for range 1<<17 - 1 {
		if len(shared) < 1<<20 {
			shared = append(shared, inner...)
		} else {
			shared = append(shared, 'N')
		}
	}
	if _, err := marshal.Parse(code(shared, "")); !errors.Is(err, marshal.ErrLimit) {
		t.Errorf("shared constants: error %v, want ErrLimit", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range dumps() {
		raw, _ := base64.StdEncoding.DecodeString(c.code)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		codes, err := marshal.Parse(data)
		if err == nil != (len(codes) > 0) && !errors.Is(err, marshal.ErrLimit) {
			t.Errorf("%d code objects, error %v", len(codes), err)
		}
		for _, c := range codes {
			u := c.Uses()
			for _, name := range append(append(u.Globals, u.Attributes...), u.Imports...) {
				if !contains(c.Names, name) {
					t.Errorf("%q is none of the names %q", name, c.Names)
				}
			}
		}
	})
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}
