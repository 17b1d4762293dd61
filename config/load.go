package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// maxFile bounds a configuration file, in bytes.
const maxFile = 1 << 20

// Load reads the configuration from the file at path, "" for none, from the
// environment and from settings. Its error joins everything that is wrong,
// one line each, in the order of the file.
func Load(path string, settings ...Setting) (*Config, error) {
	var text []byte
	if path != "" {
		var err error
		if text, err = read(path); err != nil {
			return nil, err
		}
	}
	return load(origin{path: path, settings: settings}, text)
}

// read returns the text of a configuration file.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("configuration: %s is larger than %d bytes", path, maxFile)
	}
	return text, nil
}

// load makes a Config of the text of its file and the layers above it.
func load(from origin, text []byte) (*Config, error) {
	doc := shape(from.path, text)
	l := loader{
		document: doc,
		origin:   from,
		config:   Default(),
		settings: map[string]Setting{},
		keys:     keys(),
		failed:   map[string]bool{},
	}
	l.config.origin = from
	l.environment()
	l.decode(l.layers())
	l.finish()
	if len(l.problems) == 0 {
		return l.config, nil
	}
	slices.SortStableFunc(l.problems, func(a, b problem) int {
		if (a.line == 0) != (b.line == 0) {
			return b.line - a.line // the file first
		}
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.where, b.where))
	})
	all := make([]error, len(l.problems))
	for i, p := range l.problems {
		all[i] = p
	}
	return nil, errors.Join(all...)
}

// loader is the state of one load call.
type loader struct {
	document
	origin   origin
	config   *Config
	keys     []key
	settings map[string]Setting // by key
	failed   map[string]bool    // keys whose value could not be converted
}

// layers stacks defaults, file, environment and flags in a viper of its own,
// which is read once and dropped.
func (l *loader) layers() *viper.Viper {
	v := viper.New()
	v.SetEnvPrefix(strings.TrimSuffix(EnvPrefix, "_"))
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AllowEmptyEnv(true) // MODELWALL_ADMIN_LISTEN= turns the admin listener off
	v.AutomaticEnv()
	for _, k := range l.keys {
		v.SetDefault(k.name, k.field(l.config).Interface())
	}
	file := map[string]any{}
	for name, value := range l.values {
		section, leaf, nested := strings.Cut(name, ".")
		if !nested {
			file[name] = value
			continue
		}
		inner, ok := file[section].(map[string]any)
		if !ok {
			inner = map[string]any{}
			file[section] = inner
		}
		inner[leaf] = value
	}
	if err := v.MergeConfigMap(file); err != nil {
		l.problems = append(l.problems, problem{where: l.origin.path, what: err.Error()})
	}
	for _, s := range l.origin.settings {
		l.settings[s.Key] = s
		v.Set(s.Key, s.Value)
	}
	return v
}

// decode fills the Config; a key whose value can't be converted keeps its
// default.
func (l *loader) decode(v *viper.Viper) {
	err := v.UnmarshalExact(l.config,
		viper.DecodeHook(mapstructure.DecodeHookFuncValue(convert)),
		func(c *mapstructure.DecoderConfig) {
			c.WeaklyTypedInput = false
			c.ZeroFields = true // a list replaces its default, element by element it would mix with it
		})
	for _, e := range decodeErrors(err) {
		name, _, _ := strings.Cut(e.Name(), "[")
		reason := e.Unwrap().Error()
		l.report(name, "%s: %s", l.shown(name, v.Get(name)), reason)
		l.failed[name] = true // it still has its default, which needs no check
	}
}

// shown renders a value for a message, unless it may hold a password.
func (l *loader) shown(name string, value any) string {
	for _, k := range l.keys {
		if k.name == name && k.secret() {
			return "the value is not shown, it may hold a password"
		}
	}
	if s, ok := value.(string); ok {
		return shorten(strconv.Quote(s))
	}
	return shorten(fmt.Sprint(value))
}

// decodeErrors picks the errors that name a leaf out of the tree that
// mapstructure returns.
func decodeErrors(err error) []*mapstructure.DecodeError {
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case nil:
		return nil
	case *mapstructure.DecodeError:
		if inner := decodeErrors(e.Unwrap()); len(inner) > 0 {
			return inner
		}
		return []*mapstructure.DecodeError{e}
	case interface{ Unwrap() []error }:
		var all []*mapstructure.DecodeError
		for _, inner := range e.Unwrap() {
			all = append(all, decodeErrors(inner)...)
		}
		return all
	case interface{ Unwrap() error }:
		return decodeErrors(e.Unwrap())
	}
	return nil
}

// report adds a problem with a key, placed where its value comes from.
func (l *loader) report(name, format string, args ...any) {
	if l.failed[name] {
		return
	}
	p := problem{where: "default", what: name + ": " + fmt.Sprintf(format, args...)}
	env := key{name: name}.env()
	if s, ok := l.settings[name]; ok {
		p.where = s.From
	} else if _, ok := os.LookupEnv(env); ok {
		p.where = env
	} else if line, ok := l.lines[name]; ok {
		p.where, p.line = l.origin.path, line
	}
	l.problems = append(l.problems, p)
}

// environment refuses variables that look like settings and are none.
func (l *loader) environment() {
	names := []string{EnvPrefix + "CONFIG"}
	for _, k := range l.keys {
		names = append(names, k.env())
	}
	for _, pair := range slices.Sorted(slices.Values(os.Environ())) {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, EnvPrefix) || strings.HasPrefix(name, EnvPrefix+"TEST_") ||
			slices.Contains(names, name) {
			continue
		}
		p := problem{where: "environment", what: unknown("variable", name, names)}
		l.problems = append(l.problems, p)
	}
}

// changed lists the keys whose values differ between two snapshots.
func changed(a, b *Config) []key {
	var list []key
	for _, k := range keys() {
		if !reflect.DeepEqual(k.field(a).Interface(), k.field(b).Interface()) {
			list = append(list, k)
		}
	}
	return list
}
