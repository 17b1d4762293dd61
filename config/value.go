package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Action is what happens to a file.
type Action string

// The actions of a policy, weakest first.
const (
	Allow      Action = "allow"
	Warn       Action = "warn"
	Quarantine Action = "quarantine"
	Block      Action = "block"
)

// OtherHosts is what happens to a host that is not intercepted.
type OtherHosts string

// The rules for other hosts.
const (
	Tunnel OtherHosts = "tunnel" // pass the bytes on unseen
	Deny   OtherHosts = "deny"
)

// Offline is when the mirror answers without the Hub.
type Offline string

// The rules for being offline.
const (
	Never       Offline = "false"
	Unreachable Offline = "auto" // while the Hub does not answer
	Always      Offline = "true"
)

// XetMode is what becomes of Xet, in which a client fetches chunks of files
// that can not be inspected on their way.
type XetMode string

// The modes of Xet.
const (
	XetFacade XetMode = "facade" // strip, and give inspected files to clients that need Xet
	XetStrip  XetMode = "strip"  // keep clients from using it
	XetDeny   XetMode = "deny"   // let them try, and say no
)

// LogFormat is the form of a log line.
type LogFormat string

// The formats of the log.
const (
	Text LogFormat = "text"
	JSON LogFormat = "json"
)

// Size is a number of bytes.
type Size int64

// unit is a suffix of a Size.
type unit struct {
	name string
	size int64
}

// units returns the suffixes, the largest first.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40},
		{"TB", 1e12},
		{"GiB", 1 << 30},
		{"GB", 1e9},
		{"MiB", 1 << 20},
		{"MB", 1e6},
		{"KiB", 1 << 10},
		{"KB", 1e3},
		{"B", 1},
	}
}

// String returns the size in its largest whole binary unit: "64GiB".
func (s Size) String() string {
	for _, u := range units() {
		binary := strings.HasSuffix(u.name, "iB") || u.name == "B"
		if n := int64(s); binary && n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return "0B"
}

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a whole number with a unit, "64GiB", or of bytes.
func (s *Size) UnmarshalText(b []byte) error {
	digits, scale := string(b), int64(1)
	for _, u := range units() {
		if rest, ok := strings.CutSuffix(digits, u.name); ok {
			digits, scale = strings.TrimRight(rest, " "), u.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/scale {
		return errors.New("expected a size such as 64GiB (B, KB, KiB, MB, MiB, GB, GiB, TB, TiB)")
	}
	*s = Size(n * scale)
	return nil
}

// ProxyURL is the address of a parent proxy. It may hold a password, so every
// form in which it could be printed leaves the user part out.
type ProxyURL struct{ u *url.URL }

// IsZero reports whether no proxy is set.
func (p ProxyURL) IsZero() bool { return p.u == nil }

// URL returns a copy with the password, for the transport alone; nil if no
// proxy is set.
func (p ProxyURL) URL() *url.URL {
	if p.u == nil {
		return nil
	}
	c := *p.u
	return &c
}

// String returns the address without user and password.
func (p ProxyURL) String() string {
	switch {
	case p.u == nil:
		return ""
	case p.u.User != nil:
		return p.u.Scheme + "://redacted@" + p.u.Host
	}
	return p.u.Scheme + "://" + p.u.Host
}

// GoString keeps the password out of %#v.
func (p ProxyURL) GoString() string { return fmt.Sprintf("config.ProxyURL(%q)", p.String()) }

// MarshalText implements encoding.TextMarshaler, without the password.
func (p ProxyURL) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue implements slog.LogValuer, without the password.
func (p ProxyURL) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Equal reports whether both are the same proxy with the same credentials.
func (p ProxyURL) Equal(q ProxyURL) bool { return reflect.DeepEqual(p.u, q.u) }

// errProxyURL has no detail on purpose: what url.Parse says can quote a piece
// of the password.
var errProxyURL = errors.New("expected http://[user:password@]host:port or https://…, " +
	"with special characters of user and password percent-encoded")

// UnmarshalText reads the address; "" means no proxy.
func (p *ProxyURL) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*p = ProxyURL{}
		return nil
	}
	u, err := url.Parse(string(b))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return errProxyURL
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errProxyURL
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil || host == "" || !validPort(port, 1) {
		return errProxyURL
	}
	u.Path = ""
	p.u = u
	return nil
}

func validPort(s string, lowest int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= lowest && n <= 65535 && s == strconv.Itoa(n)
}

// duration reads a time.Duration.
func duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("expected a duration such as 30s or 5m")
	}
	return d, nil
}

// level reads a log level. slog's own reader also takes "INFO+2".
func level(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, errors.New("expected one of debug, info, warn, error")
}

// convert is the decode hook: it makes a key's typed value of text, which is
// all that an environment variable or a flag has and what YAML has for sizes,
// durations and the like.
func convert(from, to reflect.Value) (any, error) {
	value := from.Interface()
	text, isText := value.(string)
	if b, isBool := value.(bool); isBool && to.Type() == reflect.TypeFor[Offline]() {
		return Offline(strconv.FormatBool(b)), nil // YAML has a type of its own for two of the three
	}
	if !isText {
		return value, nil
	}
	switch to.Interface().(type) {
	case time.Duration:
		return duration(text)
	case slog.Level:
		return level(text)
	case Size:
		var s Size
		err := s.UnmarshalText([]byte(text))
		return s, err
	case ProxyURL:
		var p ProxyURL
		err := p.UnmarshalText([]byte(text))
		return p, err
	case bool:
		if text != "true" && text != "false" {
			return nil, errors.New("expected true or false")
		}
		return text == "true", nil
	case int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, errors.New("expected a whole number")
		}
		return n, nil
	case []string:
		return split(text), nil
	case []int:
		list := []int{}
		for _, item := range split(text) {
			n, err := strconv.Atoi(item)
			if err != nil {
				return nil, errors.New("expected whole numbers separated by commas")
			}
			list = append(list, n)
		}
		return list, nil
	}
	return value, nil
}

// split reads a comma-separated list; "" is the empty one.
func split(text string) []string {
	list := []string{}
	if strings.TrimSpace(text) == "" {
		return list
	}
	for item := range strings.SplitSeq(text, ",") {
		list = append(list, strings.TrimSpace(item))
	}
	return list
}
