package pickle

import "strings"

// impure returns the part of a formula that is more than arithmetic on columns.
func impure(formula string) string {
	for i := 0; i < len(formula); {
		c := formula[i]
		switch {
		case letter(c):
			j := i
			for j < len(formula) && (letter(formula[j]) || digit(formula[j]) || formula[j] == '.') {
				j++
			}
			name := formula[i:j]
			rest := strings.TrimLeft(formula[j:], " ")
			i = j
			if strings.Contains(name, "__") {
				return name
			}
			called := strings.HasPrefix(rest, "(")
			if called && !formulaFunction(name) || !called && strings.Contains(name, ".") {
				return name
			}
			// "C (x)" and a keyword such as "lambda x: y" both follow a name
			// by something that an operator has to separate.
			if rest != "" && (letter(rest[0]) || digit(rest[0]) || rest[0] == '\'' || rest[0] == '"') {
				return name
			}
		case digit(c), strings.IndexByte(" +-*/:~(),=|^%.<>", c) >= 0:
			i++
			// An attribute of what is computed, and not a decimal point.
			if rest := strings.TrimLeft(formula[i:], " "); c == '.' && rest != "" && letter(rest[0]) {
				return formula[i-1:]
			}
			// A call needs a name in front of it: what stands in parentheses
			// is a number then.
			if rest := strings.TrimLeft(formula[i:], " "); (digit(c) || c == ')') && strings.HasPrefix(rest, "(") {
				return formula[max(0, i-1):]
			}
		case c == '\'' || c == '"':
			end := strings.IndexByte(formula[i+1:], c)
			if end < 0 || strings.ContainsAny(formula[i+1:i+1+end], "\\\n") {
				return formula[i:]
			}
			i += end + 2
			if rest := strings.TrimLeft(formula[i:], " "); rest != "" && strings.IndexByte("(.%", rest[0]) >= 0 {
				return rest
			}
		default:
			return formula[i:]
		}
	}
	return ""
}

func letter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// formulaFunction reports whether formulas call a function of that name:
// categories, contrasts, splines and functions of numbers.
func formulaFunction(name string) bool {
	for _, of := range []string{"np.", "numpy."} {
		if f, ok := strings.CutPrefix(name, of); ok {
			switch f {
			case "log", "log10", "log1p", "log2", "exp", "expm1", "sqrt", "abs", "power", "square", "sin", "cos", "tan",
				"tanh", "sign", "maximum", "minimum", "where", "round", "floor", "ceil":
				return true
			}
		}
	}
	switch name {
	case "C", "Q", "I", "Treatment", "Sum", "Poly", "Helmert", "Diff", "bs", "cr", "cc", "te", "poly", "center",
		"standardize", "scale", "hashed", "log", "log10", "log1p", "log2", "exp", "expm1", "sqrt", "abs":
		return true
	}
	return false
}
