package hub

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const someOID = "607a30d783dfa663caf39e06633721c8d4cfcd7e"

// pkt makes a body: "" is a flush packet, "0001" and "0002" are themselves.
func pkt(lines ...string) []byte {
	var b []byte
	for _, l := range lines {
		switch l {
		case "":
			b = append(b, "0000"...)
		case "0001", "0002":
			b = append(b, l...)
		default:
			b = fmt.Appendf(b, "%04x%s", len(l)+4, l)
		}
	}
	return b
}

func TestRewriteUploadPackRequest(t *testing.T) {
	for _, tt := range []struct {
		name     string
		in, want []byte
		upload   UploadPack
		fetch    bool
	}{
		{
			"v2 ls-refs", pkt("command=ls-refs\n", "agent=git/2.39.5", "object-format=sha1", "0001", "peel\n", "ref-prefix HEAD\n", ""),
			nil,
			UploadPack{2, "ls-refs"},
			false,
		},
		{
			"v2 fetch",
			pkt("command=fetch", "agent=git/2.39.5", "0001", "thin-pack", "no-progress", "ofs-delta", "want "+someOID+"\n", "done\n", ""),
			pkt("command=fetch", "agent=git/2.39.5", "0001", "no-progress", "ofs-delta", "want "+someOID+"\n", "done\n", ""),
			UploadPack{2, "fetch"},
			true,
		},
		{
			"v2 fetch, newlines",
			pkt("agent=x\n", "command=fetch\n", "0001", "want "+someOID+"\n", "thin-pack\n", "packfile-uris https\n", "have "+someOID+"\n", ""),
			pkt("agent=x\n", "command=fetch\n", "0001", "want "+someOID+"\n", "have "+someOID+"\n", ""),
			UploadPack{2, "fetch"},
			true,
		},
		{"v2 other command", pkt("command=bundle-uri", "0001", ""), nil, UploadPack{2, "bundle-uri"}, false},
		{"v2 without arguments", pkt("command=object-info", ""), nil, UploadPack{2, "object-info"}, false},
		{
			"v0 fetch",
			pkt("want "+someOID+" multi_ack_detailed no-done side-band-64k thin-pack ofs-delta agent=git/2.39.5\n", "want "+someOID+"\n", "", "have "+someOID+"\n", "done\n"),
			pkt("want "+someOID+" multi_ack_detailed no-done side-band-64k ofs-delta agent=git/2.39.5\n", "want "+someOID+"\n", "", "have "+someOID+"\n", "done\n"),
			UploadPack{0, "fetch"},
			true,
		},
		{"v0 clone, shallow", pkt("want "+someOID+" side-band-64k\n", "deepen 1\n", "", "done\n"), nil, UploadPack{0, "fetch"}, true},
		{
			"v0 capability on a later line",
			pkt("want "+someOID+"\n", "want "+someOID+"\tthin-pack=1\n", "", "done\n"),
			pkt("want "+someOID+"\n", "want "+someOID+"\n", "", "done\n"),
			UploadPack{0, "fetch"},
			true,
		},
		{"v0 nothing wanted", pkt(""), nil, UploadPack{0, "fetch"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == nil {
				tt.want = tt.in
			}
			got, upload, err := RewriteUploadPackRequest(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(tt.want), string(got)); diff != "" {
				t.Error(diff)
			}
			if upload != tt.upload || upload.Fetch() != tt.fetch {
				t.Errorf("got %+v, want %+v", upload, tt.upload)
			}
		})
	}
}

func TestRewriteUploadPackRequestRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []byte
	}{
		{"empty", nil},
		{"short length", []byte("000")},
		{"no length", []byte("want " + someOID)},
		{"cut off", pkt("want " + someOID)[:20]},
		{"length 3", []byte("0003")},
		{"empty packet", []byte("0004")},
		{"too long", []byte("fff5" + strings.Repeat("x", 0xfff5))},
		{"v2 without flush", pkt("command=fetch", "0001", "done")},
		{"v2 after flush", pkt("command=fetch", "0001", "done", "", "command=fetch", "0001", "thin-pack", "")},
		{"v2 two delimiters", pkt("command=fetch", "0001", "done", "0001", "thin-pack", "")},
		{"v2 response end", pkt("command=fetch", "0001", "0002", "")},
		{"v2 two commands", pkt("command=ls-refs", "command=fetch", "0001", "")},
		{"v2 command too late", pkt("agent=x", "0001", "command=fetch", "thin-pack", "")},
		{"v0 delimiter", pkt("want "+someOID, "0001", "")},
		{"v0 starts elsewhere", pkt("have "+someOID, "")},
		{"v0 unknown line", pkt("want "+someOID, "thin-pack", "")},
		{"v0 want nothing", pkt("want ", "")},
	} {
		if got, _, err := RewriteUploadPackRequest(tt.in); !errors.Is(err, ErrPktLine) || got != nil {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

// FuzzRewriteUploadPack checks that the result is well-formed, asks for no
// thin pack, and is left alone the second time.
func FuzzRewriteUploadPack(f *testing.F) {
	f.Add(pkt("command=fetch", "agent=x", "0001", "thin-pack", "want "+someOID+"\n", ""))
	f.Add(pkt("want "+someOID+" thin-pack ofs-delta\n", "", "done\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		out, u, err := RewriteUploadPackRequest(body)
		if err != nil {
			if !errors.Is(err, ErrPktLine) {
				t.Fatalf("unclassified: %v", err)
			}
			return
		}
		again, same, err := RewriteUploadPackRequest(out)
		if err != nil || u != same || !bytes.Equal(again, out) {
			t.Fatalf("%q became %q, then %q: %v", body, out, again, err)
		}
		lines, err := readPktLines(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			word, rest, _ := strings.Cut(l.text(), " ")
			if u.Version == 2 && word == "thin-pack" || u.Version == 0 && word == "want" && strings.Contains(" "+rest+" ", " thin-pack ") {
				t.Fatalf("%q still asks for a thin pack", out)
			}
		}
	})
}
