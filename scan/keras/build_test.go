package keras_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf16"
)

// code marshals a function of Python 3.8 that looks up the first name as a
// variable and the others as attributes, and has texts as constants.
func code(names []string, consts ...string) string {
	str := func(kind byte, s string) []byte {
		return append(binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(s))), s...)
	}
	var steps []byte
	for i := range names {
		op := byte(106) // LOAD_ATTR
		if i == 0 {
			op = 116 // LOAD_GLOBAL
		}
		steps = append(steps, op, byte(i))
	}
	b := append([]byte{'c'}, make([]byte, 24)...)
	b = append(b, str('s', string(steps)+"S\x00")...)
	b = append(b, ')', byte(len(consts)))
	for _, c := range consts {
		b = append(b, str('u', c)...)
	}
	b = append(b, ')', byte(len(names)))
	for _, n := range names {
		b = append(b, str('u', n)...)
	}
	for range 3 {
		b = append(b, ')', 0)
	}
	b = append(b, str('u', "model.py")...)
	b = append(b, str('u', "<lambda>")...)
	b = append(b, 0, 0, 0, 0)
	b = append(b, str('s', "")...)
	return base64.StdEncoding.EncodeToString(b)
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// model is the configuration of a model of one layer.
func model(layer string) string {
	return `{"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [` + layer + `]}, "registered_name": null}`
}

// lambda is a Lambda layer of the newer form.
func lambda(code string) string {
	return model(`{"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": ` +
		quoted(code) + `, "defaults": null, "closure": null}}}}`)
}

// oldLambda is one of the older form.
func oldLambda(code, more string) string {
	return model(`{"class_name": "Lambda", "config": {"name": "l", "function": [` + quoted(code) + `, null, null], "function_type": "lambda"` + more + `}}`)
}

// calls is a Lambda layer that calls a function by its name.
func calls(module, name string) string {
	return model(fmt.Sprintf(`{"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "arguments": {"fname": "x", "origin": "https://host/x"},
		"function": {"module": %q, "class_name": "function", "config": %q, "registered_name": %q}}}`, module, name, name))
}

// layer is a layer of a class.
func layer(module, class, config string) string {
	return model(fmt.Sprintf(`{"module": %q, "class_name": %q, "config": {%s}, "registered_name": null}`, module, class, config))
}

func wide(s string, order binary.AppendByteOrder, mark bool) string {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func wide32(s string, order binary.AppendByteOrder) string {
	var b []byte
	for _, r := range s {
		b = order.AppendUint32(b, uint32(r))
	}
	return string(b)
}

func decode(b64 string) []byte {
	b, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		panic(err)
	}
	return b
}
