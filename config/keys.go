package config

import (
	"log/slog"
	"reflect"
	"strings"
	"time"
)

// EnvPrefix starts the name of every environment variable that sets a key.
const EnvPrefix = "MODELWALL_"

// key is one leaf of Config.
type key struct {
	name  string // "admin.listen"
	index []int  // of the field, for reflect.Value.FieldByIndex
	typ   reflect.Type
	live  bool // takes effect without a restart
}

// env returns the name of the environment variable that sets the key.
func (k key) env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(k.name, ".", "_"))
}

// field returns the key's field in c.
func (k key) field(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(k.index)
}

// secret reports whether the key's text may hold a password.
func (k key) secret() bool { return k.typ == reflect.TypeFor[ProxyURL]() }

// keys lists the leaves of Config in the order of its fields, which is the
// order of proxy.yaml.
func keys() []key {
	var list []key
	var add func(t reflect.Type, prefix string, index []int)
	add = func(t reflect.Type, prefix string, index []int) {
		for i := range t.NumField() {
			f := t.Field(i)
			tag := f.Tag.Get("mapstructure")
			if tag == "" || tag == "-" {
				continue
			}
			at := append(append([]int{}, index...), i)
			if reload := f.Tag.Get("reload"); reload != "" {
				list = append(list, key{name: prefix + tag, index: at, typ: f.Type, live: reload == "live"})
				continue
			}
			add(f.Type, prefix+tag+".", at)
		}
	}
	add(reflect.TypeFor[Config](), "", nil)
	return list
}

// expected says in words what a key's value has to look like in YAML.
func expected(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 30s or 5m"
	case reflect.TypeFor[Size]():
		return "a size such as 64GiB"
	case reflect.TypeFor[ProxyURL]():
		return "the URL of a proxy"
	case reflect.TypeFor[Offline]():
		return "true, false or auto"
	case reflect.TypeFor[slog.Level]():
		return "one of debug, info, warn, error"
	case reflect.TypeFor[[]string]():
		return "a list of strings"
	case reflect.TypeFor[[]int]():
		return "a list of whole numbers"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	default:
		return "a string"
	}
}
