package hub

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const otherSHA = "b457d5fcc7f2f71e727bee74298d42d80610619e02af16beca53d44a71d5f607"

func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	if diff := cmp.Diff(decode(t, []byte(want)), decode(t, got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRewriteBatchRequest(t *testing.T) {
	// As git-lfs 3.3 with git-xet installed sends it.
	in := `{"operation":"download","objects":[{"oid":"` + someSHA + `","size":12},{"oid":"` + otherSHA + `","size":0,"x":{"y":1.50}}],` +
		`"transfers":["lfs-standalone-file","xet","basic","ssh"],"ref":{"name":"refs/heads/main"},"hash_algo":"sha256","new":[1]}`
	out, objects, operation, err := RewriteBatchRequest([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, out, strings.Replace(in, `"lfs-standalone-file","xet","basic","ssh"`, `"basic"`, 1))
	if diff := cmp.Diff([]Pointer{{someSHA, 12}, {otherSHA, 0}}, objects); diff != "" || operation != LFSDownload {
		t.Errorf("%s: %s", operation, diff)
	}

	upload := `{"transfers":["multipart","xet"],"operation":"upload","objects":[{"oid":"` + someSHA + `","size":12}]}`
	out, objects, operation, err = RewriteBatchRequest([]byte(upload))
	if err != nil || string(out) != upload || operation != LFSUpload || len(objects) != 1 {
		t.Errorf("upload: %s, %v, %s, %v", out, objects, operation, err)
	}
}

func TestRewriteBatchRequestRefuses(t *testing.T) {
	object := `{"oid":"` + someSHA + `","size":1}`
	for _, in := range []string{
		"", "null", "[]", "{", `{}`, `{"operation":"download"`, `{"operation":1}`, `{"operation":"other"}`,
		`{"operation":"download","objects":{}}`, `{"operation":"download","objects":[1]}`,
		`{"operation":"download","operation":"upload","objects":[` + object + `]}`,
		`{"operation":"upload","Operation":"download","objects":[` + object + `]}`,
		`{"operation":"download","Transfers":["xet"],"objects":[` + object + `]}`,
		`{"operation":"download","objects":[],"Objects":[` + object + `]}`,
		`{"operation":"download","hash_algo":"sha512","objects":[` + object + `]}`,
		`{"operation":"download","objects":[{"oid":"x","size":1}]}`,
		`{"operation":"download","objects":[{"oid":"` + strings.ToUpper(someSHA) + `","size":1}]}`,
		`{"operation":"download","objects":[{"oid":"` + someSHA + `"}]}`,
		`{"operation":"download","objects":[{"oid":"` + someSHA + `","size":-1}]}`,
		`{"operation":"download","objects":[{"oid":"` + someSHA + `","size":1.5}]}`,
		`{"operation":"download","objects":[{"oid":"` + someSHA + `","oid":"` + otherSHA + `","size":1}]}`,
		`{"operation":"download","objects":[` + object + `]}}`,
		`{"operation":"download","objects":[` + object + `]}{}`,
	} {
		if out, _, _, err := RewriteBatchRequest([]byte(in)); !errors.Is(err, ErrLFS) || out != nil {
			t.Errorf("%s: %s, %v", in, out, err)
		}
	}
}

func TestBatchResponse(t *testing.T) {
	cdn := `https://cdn-lfs.huggingface.co/repos/aa/bb/cc/` + someSHA + `?Signature=s&x=<1>`
	in := `{"transfer":"xet","hash_algo":"sha256","more":1e3,"objects":[` +
		`{"oid":"` + someSHA + `","size":12,"authenticated":true,"actions":{"download":{"href":"` + cdn + `",` +
		`"header":{"X-Xet-Hash":"1","Accept":"x"},"expires_in":3600,"id":"z"},"verify":{"href":"https://x/"}}},` +
		`{"oid":"` + otherSHA + `","size":3,"error":{"code":404,"message":"Object does\nnot exist"}}]}`
	b, err := ParseBatchResponse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, out, in)

	b.Clean()
	if out, err = b.Encode(); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, out, `{"transfer":"basic","hash_algo":"sha256","more":1e3,"objects":[`+
		`{"oid":"`+someSHA+`","size":12,"authenticated":true,"actions":{"download":{"href":"`+cdn+`",`+
		`"header":{"Accept":"x"},"expires_in":3600,"id":"z"}}},`+
		`{"oid":"`+otherSHA+`","size":3,"error":{"code":404,"message":"Object does not exist"}}]}`)

	if n := b.Refuse(someSHA, 403, "Blocked:\r\nposix.system"); n != 1 {
		t.Errorf("%d objects refused", n)
	}
	if n := b.Refuse(strings.Repeat("0", 64), 403, ""); n != 0 {
		t.Errorf("%d objects refused that are not there", n)
	}
	if out, err = b.Encode(); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, out, `{"transfer":"basic","hash_algo":"sha256","more":1e3,"objects":[`+
		`{"oid":"`+someSHA+`","size":12,"authenticated":true,"error":{"code":403,"message":"Blocked: posix.system"}},`+
		`{"oid":"`+otherSHA+`","size":3,"error":{"code":404,"message":"Object does not exist"}}]}`)
}

// Clean leaves no way to fetch an object around the firewall.
func TestBatchResponseClean(t *testing.T) {
	for _, tt := range []struct{ name, actions, message string }{
		{"CDN", `{"download":{"href":"https://us.aws.cdn.hf.co/xet-bridge-us/00/11?x=y"}}`, ""},
		{"Hub", `{"download":{"href":"https://huggingface.co/acme/m/resolve/main/x"}}`, ""},
		{"other host", `{"download":{"href":"https://example.org/x"}}`, "example.org"},
		{"other sub-host", `{"download":{"href":"https://new.hf.co/x"}}`, "new.hf.co"},
		{"app", `{"download":{"href":"https://u-s.hf.space/x"}}`, "u-s.hf.space"},
		{"Hub page", `{"download":{"href":"https://huggingface.co/acme/m"}}`, "huggingface.co"},
		{"ambiguous", `{"download":{"href":"https://huggingface.co/acme//resolve/main/x"}}`, "huggingface.co"},
		{"CAS", `{"download":{"href":"https://cas-server.xethub.hf.co/v1/x"}}`, "HF_HUB_DISABLE_XET=1"},
		{"xorb", `{"download":{"href":"https://transfer.xethub.hf.co/xorb/default/x"}}`, "HF_HUB_DISABLE_XET=1"},
		{"http", `{"download":{"href":"http://cdn-lfs.hf.co/x"}}`, "can not be used"},
		{"user", `{"download":{"href":"https://u:p@cdn-lfs.hf.co/x"}}`, "can not be used"},
		{"no URL", `{"download":{"href":"https://%zz/"}}`, "can not be used"},
		{"empty", `{"download":{}}`, "can not be used"},
		{"other action", `{"upload":{"href":"https://cdn-lfs.hf.co/x"}}`, "no place"},
		{"null", `{"download":null}`, ""},
		{"none", `{}`, "no place"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := ParseBatchResponse([]byte(`{"objects":[{"oid":"` + someSHA + `","size":1,"actions":` + tt.actions + `}]}`))
			if tt.name == "null" {
				if !errors.Is(err, ErrLFS) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b.Clean()
			o := b.Objects[0]
			if tt.message == "" {
				if o.Error != nil || o.Actions["download"] == nil {
					t.Errorf("refused: %+v", o.Error)
				}
				return
			}
			if o.Error == nil || !strings.Contains(o.Error.Message, tt.message) || len(o.Actions) != 0 {
				t.Errorf("got %+v, %d actions", o.Error, len(o.Actions))
			}
		})
	}
}

func TestParseBatchResponseRefuses(t *testing.T) {
	for _, in := range []string{
		"", "[]", `{"objects":[{"oid":"x"}]}`, `{"objects":1}`, `{"transfer":1}`, `{"objects":[],"objects":[]}`,
		`{"Objects":[]}`, `{"tranſfer":"xet","objects":[]}`, `{"objects":[{"oid":"` + someSHA + `","size":1,"Actions":{}}]}`,
		`{"objects":[{"oid":"` + someSHA + `","size":1,"actions":[]}]}`,
		`{"objects":[{"oid":"` + someSHA + `","size":1,"error":"x"}]}`,
		`{"objects":[{"oid":"` + someSHA + `","size":1,"actions":{"download":{"href":1}}}]}`,
		`{"objects":[{"oid":"` + someSHA + `","size":1,"actions":{"download":{"href":"a","HREF":"b"}}}]}`,
	} {
		if _, err := ParseBatchResponse([]byte(in)); !errors.Is(err, ErrLFS) {
			t.Errorf("%s: %v", in, err)
		}
	}
	b, err := ParseBatchResponse([]byte(`{"message":"Not found"}`))
	if err != nil || len(b.Objects) != 0 {
		t.Errorf("an error message: %v, %v", b, err)
	}
}

// FuzzBatch checks that what is sent on is JSON, offers only the basic
// transfer, and is read the same way again.
func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"operation":"download","transfers":["xet"],"objects":[{"oid":"` + someSHA + `","size":1}]}`))
	f.Add([]byte(`{"transfer":"xet","objects":[{"oid":"` + someSHA + `","size":1,"actions":{"download":{"href":"https://cdn-lfs.hf.co/x"}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if out, objects, operation, err := RewriteBatchRequest(body); err == nil && operation == LFSDownload {
			var m struct{ Transfers []string }
			if err := json.Unmarshal(out, &m); err != nil || len(m.Transfers) != 1 || m.Transfers[0] != "basic" {
				t.Fatalf("%q became %q", body, out)
			}
			again, same, _, err := RewriteBatchRequest(out)
			if err != nil || string(again) != string(out) || !cmp.Equal(objects, same) {
				t.Fatalf("%q is read in another way: %q, %v", out, again, err)
			}
		}
		b, err := ParseBatchResponse(body)
		if err != nil {
			if !errors.Is(err, ErrLFS) {
				t.Fatalf("unclassified: %v", err)
			}
			return
		}
		b.Clean()
		out, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseBatchResponse(out)
		if err != nil || len(again.Objects) != len(b.Objects) {
			t.Fatalf("%q is read in another way: %v", out, err)
		}
		for _, o := range again.Objects {
			if a := o.Actions["download"]; (a == nil) == (o.Error == nil) || badHref(a) != "" {
				t.Fatalf("%q leaves %+v", out, o)
			}
		}
	})
}
