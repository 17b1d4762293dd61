package zip_test

import (
	"slices"
	"strings"
	"testing"

	"modelwall/scan/scantest"
	scanner "modelwall/scan/zip"
)

// TestStorages: a tensor is not handed over, whatever raises a question is.
func TestStorages(t *testing.T) {
	pickle := stored("a/data.pkl", "\x80\x02}.")
	floats := strings.Repeat("\x3f\x8c\x00\x12", 40)
	both := func(name, body string, change func(*header)) item {
		it := stored(name, body)
		change(&it.local)
		change(&it.central)
		return it
	}
	local := func(change func(*header)) item {
		it := stored("a/data/0", floats)
		change(&it.local)
		return it
	}
	for name, c := range map[string]struct {
		items  []item
		handed bool
	}{
		"numbers":                  {[]item{pickle, stored("a/data/0", floats)}, false},
		"nothing":                  {[]item{pickle, stored("a/data/0", "")}, false},
		"streamed":                 {[]item{pickle, streamed(stored("a/data/0", floats))}, false},
		"text":                     {[]item{pickle, stored("a/data/0", "cos\nsystem\n(S'id'\ntR.")}, true},
		"pickle":                   {[]item{pickle, stored("a/data/0", "\x80\x04\x95"+floats)}, true},
		"array":                    {[]item{pickle, stored("a/data/0", "\x93NUMPY"+floats)}, true},
		"zip":                      {[]item{pickle, stored("a/data/0", string(archive(stored("x", "y"))))}, true},
		"gzip":                     {[]item{pickle, stored("a/data/0", "\x1f\x8b\x08"+floats)}, true},
		"zlib":                     {[]item{pickle, stored("a/data/0", "\x78\x9c"+floats)}, true},
		"no pickle beside it":      {[]item{stored("b/data.pkl", ""), stored("a/data/0", floats)}, true},
		"no number":                {[]item{pickle, stored("a/data/0.npy", floats)}, true},
		"no number at all":         {[]item{pickle, stored("a/data/weights", floats)}, true},
		"a folder below":           {[]item{pickle, stored("a/data/sub/0", floats)}, true},
		"compressed":               {[]item{pickle, packed(t, "a/data/0", floats, 8)}, true},
		"another local name":       {[]item{pickle, local(func(h *header) { h.name = "a/data/x" })}, true},
		"another local method":     {[]item{pickle, local(func(h *header) { h.method = 8 })}, true},
		"another local size":       {[]item{pickle, local(func(h *header) { h.packed, h.size = 8, 8 })}, true},
		"a flag in one":            {[]item{pickle, local(func(h *header) { h.flags = 1 })}, true},
		"two sizes":                {[]item{pickle, both("a/data/0", floats, func(h *header) { h.size = 8 })}, true},
		"a second name":            {[]item{pickle, both("a/data/0", floats, func(h *header) { h.extra = unicodePath("a/data/0", "x.pkl") })}, true},
		"overlapping":              {[]item{pickle, stored("a/x", floats), func() item { it := stored("a/data/0", floats); at := uint32(0); it.at = &at; return it }()}, true},
		"a storage in two folders": {[]item{pickle, stored("b/data/0", floats), stored("a/data/0", floats)}, false},
	} {
		r, err := scantest.Scan(scanner.New(), "x", archive(c.items...))
		handed := slices.ContainsFunc(r.Members, func(m scantest.Member) bool { return strings.HasPrefix(m.Name, "a/data/") })
		if handed != c.handed {
			t.Errorf("%s: handed over = %v, want %v (error %v)", name, handed, c.handed, err)
		}
		if name == "a storage in two folders" && !has(r, "b/data/0", floats) {
			t.Error("a file in a folder without a pickle was not handed over")
		}
	}
}
