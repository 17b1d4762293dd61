package hubtest_test

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"

	"modelwall/proxy/hubtest"
)

// TestXetDownload does what hf_xet does, so that the hub's Xet side is known
// to work when a test says that nobody went there.
func TestXetDownload(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	content := hubtest.Synthetic(1, 33<<20+1000) // a little more than one xorb
	want := make([]byte, content.Size())
	if _, err := content.ReadAt(want, 0); err != nil {
		t.Fatal(err)
	}
	repo := addRepo(t, h, hubtest.Repo{ID: "acme/m", Xet: true, Files: hubtest.Files{"m.bin": content}})
	addRepo(t, h, hubtest.Repo{ID: "acme/other", Xet: true})
	f, _ := repo.File("main", "m.bin")
	c := client(t, h, false)
	type token struct{ AccessToken, CasURL string }
	right := decode[token](t, get(t, c, "https://huggingface.co/api/models/acme/m/xet-read-token/main"))
	wrong := decode[token](t, get(t, c, "https://huggingface.co/api/models/acme/other/xet-read-token/main"))

	address := right.CasURL + "/v2/reconstructions/" + f.XetHash
	if a := do(t, c, "GET", address, bearer(wrong.AccessToken), ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("token of another repository: %d", a.StatusCode)
	}
	if n := len(h.Leaks()); n != 0 {
		t.Errorf("%d leaks by Xet tokens", n)
	}
	if a := do(t, c, "GET", address, bearer(bob), ""); a.StatusCode != http.StatusUnauthorized || len(h.Leaks()) != 1 {
		t.Errorf("token of the Hub: %d, %d leaks", a.StatusCode, len(h.Leaks()))
	}

	for _, start := range []int64{0, 33 << 20} {
		header := bearer(right.AccessToken)
		header.Set("Range", "bytes="+strconv.FormatInt(start, 10)+"-")
		a := do(t, c, "GET", address, header, "")
		plan := decode[struct {
			Offset int64 `json:"offset_into_first_range"`
			Terms  []struct {
				Hash   string
				Length int64 `json:"unpacked_length"`
			}
			Xorbs map[string][]struct {
				URL    string
				Ranges []struct{ Bytes struct{ Start, End int64 } }
			}
		}](t, a)
		var got []byte
		for _, term := range plan.Terms {
			x := plan.Xorbs[term.Hash][0]
			span := x.Ranges[0].Bytes
			spec := "bytes=" + strconv.FormatInt(span.Start, 10) + "-" + strconv.FormatInt(span.End, 10)
			if a := do(t, c, "GET", x.URL, http.Header{"Range": {"bytes=0-1"}}, ""); a.StatusCode != http.StatusForbidden {
				t.Errorf("unsigned range: %d", a.StatusCode)
			}
			framed := do(t, c, "GET", x.URL, http.Header{"Range": {spec}}, "").body
			for len(framed) >= 8 {
				n := int(framed[1]) | int(framed[2])<<8 | int(framed[3])<<16
				got = append(got, framed[8:8+n]...)
				framed = framed[8+n:]
			}
		}
		if !bytes.Equal(got[plan.Offset:], want[start:]) {
			t.Errorf("from %d: %d bytes, want %d", start, int64(len(got))-plan.Offset, int64(len(want))-start)
		}
	}
}
