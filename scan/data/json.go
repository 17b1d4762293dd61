package data

import "bytes"

// validator checks piece by piece that bytes are one JSON value. It keeps one
// byte for each level of nesting and nothing else. NaN and the infinities
// count as numbers, as Python has it; whether strings are UTF-8 is not its
// question.
type validator struct {
	open   []byte // '{' and '[' that wait for their ends
	state  state
	word   string // what is left of a word like "true"
	quad   int    // hex digits still due after \u
	key    bool   // the string is a key
	number []byte // the number so far
	at     int64  // how many bytes were good
	bad    bool
}

type state uint8

const (
	wantValue  state = iota // a value, or the end of an empty array
	wantKey                 // a key, or the end of an empty object
	wantColon               // after a key
	afterValue              // a comma or an end
	inString
	inEscape
	inWord
	inNumber
)

// Bounds of what is kept.
const (
	maxNesting = 1 << 10
	maxNumber  = 1 << 10
)

// take reports whether b goes on as JSON.
func (v *validator) take(b []byte) bool {
	for i := 0; i < len(b) && !v.bad; i++ {
		if v.state == inString { // the long case
			if n := bytes.IndexFunc(b[i:], func(r rune) bool { return r == '"' || r == '\\' || r < ' ' }); n > 0 {
				i += n
				v.at += int64(n)
			} else if n < 0 {
				v.at += int64(len(b) - i)
				return true
			}
		}
		if !v.step(b[i]) {
			v.bad = true
			break
		}
		v.at++
	}
	return !v.bad
}

func (v *validator) done() bool {
	if v.bad || len(v.open) > 0 {
		return false
	}
	return v.state == afterValue || v.state == inNumber && validNumber(v.number)
}

func (v *validator) step(c byte) bool {
	blank := c == ' ' || c == '\t' || c == '\n' || c == '\r'
	switch v.state {
	case inString:
		return v.stringByte(c)
	case inEscape:
		return v.escapeByte(c)
	case inWord:
		if c != v.word[0] {
			return false
		}
		if v.word = v.word[1:]; v.word == "" {
			v.state = afterValue
		}
		return true
	case inNumber:
		if c == 'I' && string(v.number) == "-" {
			v.state, v.word = inWord, "nfinity"
			return true
		}
		if bytes.IndexByte([]byte("0123456789+-.eE"), c) >= 0 {
			v.number = append(v.number, c)
			return len(v.number) <= maxNumber
		}
		if !validNumber(v.number) {
			return false
		}
		v.state = afterValue
	}
	if blank {
		return true
	}
	switch v.state {
	case wantValue:
		return v.value(c)
	case wantKey:
		if c == '"' {
			v.state, v.key = inString, true
			return true
		}
		return c == '}' && v.end('{', true)
	case wantColon:
		v.state = wantValue
		return c == ':'
	default:
		return v.after(c)
	}
}

func (v *validator) value(c byte) bool {
	switch {
	case c == '{' || c == '[':
		if len(v.open) >= maxNesting {
			return false
		}
		v.open = append(v.open, c|emptySoFar)
		v.state = wantValue
		if c == '{' {
			v.state = wantKey
		}
		return true
	case c == ']':
		return v.end('[', true)
	case c == '"':
		v.state, v.key = inString, false
	case c == '-' || c >= '0' && c <= '9':
		v.state, v.number = inNumber, append(v.number[:0], c)
	case c == 't':
		v.state, v.word = inWord, "rue"
	case c == 'f':
		v.state, v.word = inWord, "alse"
	case c == 'n':
		v.state, v.word = inWord, "ull"
	case c == 'N':
		v.state, v.word = inWord, "aN"
	case c == 'I':
		v.state, v.word = inWord, "nfinity"
	default:
		return false
	}
	v.filled()
	return true
}

// emptySoFar marks an open bracket after which nothing has come yet, where
// the closing one is allowed at once.
const emptySoFar = 0x80

func (v *validator) filled() {
	if n := len(v.open); n > 0 {
		v.open[n-1] &^= emptySoFar
	}
}

// end closes a bracket; empty says that it has to be an empty one.
func (v *validator) end(bracket byte, empty bool) bool {
	n := len(v.open)
	if n == 0 || v.open[n-1]&^emptySoFar != bracket || empty != (v.open[n-1]&emptySoFar != 0) {
		return false
	}
	v.open = v.open[:n-1]
	v.filled()
	v.state = afterValue
	return true
}

func (v *validator) after(c byte) bool {
	if len(v.open) == 0 {
		return false
	}
	in := v.open[len(v.open)-1]
	switch {
	case c == ',' && in == '{':
		v.state = wantKey
	case c == ',' && in == '[':
		v.state = wantValue
	case c == '}':
		return v.end('{', false)
	case c == ']':
		return v.end('[', false)
	default:
		return false
	}
	return true
}

func (v *validator) stringByte(c byte) bool {
	switch {
	case c == '\\':
		v.state = inEscape
	case c == '"' && v.key:
		v.filled()
		v.state = wantColon
	case c == '"':
		v.state = afterValue
	case c < ' ':
		return false
	}
	return true
}

func (v *validator) escapeByte(c byte) bool {
	if v.quad > 0 {
		if bytes.IndexByte([]byte("0123456789abcdefABCDEF"), c) < 0 {
			return false
		}
		if v.quad--; v.quad == 0 {
			v.state = inString
		}
		return true
	}
	if c == 'u' {
		v.quad = 4
		return true
	}
	v.state = inString
	return bytes.IndexByte([]byte(`"\/bfnrt`), c) >= 0
}

// validNumber checks -?digits(.digits)?([eE][+-]?digits)? without leading zeros.
func validNumber(b []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n > 0
	}
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9' || !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && b[0]|0x20 == 'e' {
		if b = b[1:]; len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(b) == 0
}
