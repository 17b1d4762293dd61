package remote

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRef(t *testing.T) {
	for in, want := range map[string]Ref{
		"hf://acme/tiny":                             {Type: Model, Name: "acme/tiny"},
		"hf://acme/tiny/":                            {Type: Model, Name: "acme/tiny"},
		"hf://gpt2":                                  {Type: Model, Name: "gpt2"},
		"hf://gpt2@v1":                               {Type: Model, Name: "gpt2", Revision: "v1"},
		"hf://gpt2@v1/model.bin":                     {Type: Model, Name: "gpt2", Revision: "v1", Path: "model.bin"},
		"hf://models/acme/tiny":                      {Type: Model, Name: "acme/tiny"},
		"hf://datasets/acme/data/a/b.txt":            {Type: Dataset, Name: "acme/data", Path: "a/b.txt"},
		"hf://spaces/acme/app@dev":                   {Type: Space, Name: "acme/app", Revision: "dev"},
		"hf://acme/tiny@main/a@b/c":                  {Type: Model, Name: "acme/tiny", Revision: "main", Path: "a@b/c"},
		"hf://acme/tiny/a@b":                         {Type: Model, Name: "acme/tiny", Path: "a@b"},
		"hf://acme/tiny@refs%2Fpr%2F1/x":             {Type: Model, Name: "acme/tiny", Revision: "refs/pr/1", Path: "x"},
		"hf://acme/tiny@refs/pr/1":                   {Type: Model, Name: "acme/tiny", Revision: "refs/pr/1"},
		"hf://datasets/a/b@refs/convert/parquet/x/y": {Type: Dataset, Name: "a/b", Revision: "refs/convert/parquet", Path: "x/y"},
	} {
		got, err := ParseRef(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
		again, err := ParseRef(got.String())
		if err != nil || again != got {
			t.Errorf("%s is spelled %s, which is %+v, %v", in, got, again, err)
		}
	}
	for _, in := range []string{
		"", "acme/tiny", "hf://", "hf:///", "hf://acme/", "hf://acme/tiny@", "hf://acme/tiny@/x", "hf://../etc", "hf://acme/tiny/../x", "hf://acme/tiny//x",
		"hf://acme/..", "hf://acme/ti ny", "hf://acme/tiny?x", "hf://acme/tiny@%zz", "hf://acme/tiny@..", "hf://acme/tiny@a%2F..%2Fb", `hf://acme/tiny/a\b`,
		"hf://buckets/acme/x", "https://huggingface.co/acme/tiny", "hf://user@host/x",
	} {
		if ref, err := ParseRef(in); err == nil && in != "hf://user@host/x" {
			t.Errorf("%q is read as %+v", in, ref)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("hf://datasets/acme/data@refs/pr/1/a/b.txt")
	f.Add("hf://gpt2@v%2F1")
	f.Fuzz(func(t *testing.T, in string) {
		ref, err := ParseRef(in)
		if err != nil {
			return
		}
		if !plain(ref.Path) || !plain(ref.Revision) || ref.Name == "" {
			t.Errorf("%q is read as %+v", in, ref)
		}
		if again, err := ParseRef(ref.String()); err != nil || again != ref {
			t.Errorf("%q is spelled %q, which is %+v, %v", in, ref, again, err)
		}
	})
}

func TestNextPage(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		`<https://huggingface.co/api/x?cursor=1>; rel="next"`:                          "cursor=1",
		`<https://elsewhere.example/?a=1,2&b>; rel=next`:                               "a=1,2&b",
		`<https://h/?p=1>; rel="prev", <https://h/?p=3>; title="x"; rel="next"`:        "p=3",
		`<https://h/x>; rel="xet-auth", <https://h/?y>; rel="xet-reconstruction-info"`: "",
		`</api/x?cursor=2>; REL=NEXT`:                                                  "cursor=2",
	} {
		if got, err := nextPage([]string{in}); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"next", "<https://h/?p=1; rel=next", "<https://h/>; rel=next", "<%>; rel=next"} {
		if got, err := nextPage([]string{in}); err == nil {
			t.Errorf("%s: %q, want an error", in, got)
		}
	}
}
