package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// NewLogger returns a logger that writes to w one line per record and hides
// credentials: JSON for the format "json", text for people for everything
// else. Text is coloured only if w is a terminal and NO_COLOR is not set.
//
// Every text that passes through it, keys and messages included, is redacted
// (see Redact), escaped so that no control or invisible character is left,
// and cut after a few KiB.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	return slog.New(newHandler(w, format, level, isTerminal(w) && os.Getenv("NO_COLOR") == ""))
}

func newHandler(w io.Writer, format string, level slog.Leveler, colour bool) slog.Handler {
	if format == "json" {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: replace(clean)})
	}
	return tint.NewTextHandler(w, &tint.Options{
		Level:       level,
		TimeFormat:  time.TimeOnly,
		NoColor:     !colour,
		ReplaceAttr: replace(cleanText),
	})
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// cleanText is clean for the text handler. In colour, that one turns every
// `\x1b` in a quoted text back into the escape character, also where the text
// had these four characters to begin with.
func cleanText(s string) string {
	return strings.ReplaceAll(clean(s), `\x1b`, `\u001b`)
}

// replace makes the ReplaceAttr of a handler that passes all text through
// clean and hides the values of keys that name a secret.
func replace(clean func(string) string) func([]string, slog.Attr) slog.Attr {
	return func(groups []string, a slog.Attr) slog.Attr {
		if a.Equal(slog.Attr{}) {
			return a // the way to drop an attribute
		}
		key := clean(a.Key)
		if secretKey(a.Key) || anySecret(groups) {
			return slog.String(key, redacted)
		}
		switch a.Value.Kind() {
		case slog.KindString:
			return slog.String(key, clean(a.Value.String()))
		case slog.KindAny:
			return slog.Attr{Key: key, Value: cleanAny(a.Value, clean)}
		}
		a.Key = key
		return a
	}
}

func anySecret(groups []string) bool {
	for _, g := range groups {
		if secretKey(g) {
			return true
		}
	}
	return false
}

// cleanAny cleans a value that is neither a text nor a number. What is not
// known to print itself is taken apart by way of JSON.
func cleanAny(v slog.Value, clean func(string) string) slog.Value {
	switch x := v.Any().(type) {
	case nil, slog.Level, *slog.Source:
		return v
	case error, fmt.Stringer:
		return slog.StringValue(clean(fmt.Sprint(x))) // survives a nil receiver
	case []byte:
		return slog.StringValue(clean(string(x)))
	default:
		b, err := json.Marshal(x)
		if err != nil {
			return slog.StringValue(fmt.Sprintf("(%T can not be logged)", x))
		}
		var tree any
		if err := json.Unmarshal(b, &tree); err != nil {
			return slog.StringValue(clean(string(b)))
		}
		return slog.AnyValue(cleanTree(tree, clean, maxDepth))
	}
}

// maxDepth is how many levels of a structured value are logged.
const maxDepth = 8

func cleanTree(v any, clean func(string) string, depth int) any {
	if depth == 0 {
		return "…"
	}
	switch x := v.(type) {
	case string:
		return clean(x)
	case []any:
		for i := range x {
			x[i] = cleanTree(x[i], clean, depth-1)
		}
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			if secretKey(k) {
				e = redacted
			}
			out[clean(k)] = cleanTree(e, clean, depth-1)
		}
		return out
	}
	return v
}
