package proxy

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"

	"modelwall/proxy/gate"
	"modelwall/proxy/hub"
)

// uploadPack answers git's request for refs or a pack. A pack is inspected
// whole before its first byte leaves: git waits as long as it takes.
func (f *Front) uploadPack(w http.ResponseWriter, r *http.Request, req hub.Request) error {
	if r.Method != http.MethodPost {
		return fmt.Errorf("%w: git-upload-pack takes POST", errBadRequest)
	}
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return badRequest(err)
		}
		in = z
	}
	body, err := readRequest(in)
	if err != nil {
		return err
	}
	body, asked, err := hub.RewriteUploadPackRequest(body)
	if err != nil {
		return badRequest(err)
	}
	out := f.withBody(r, body)
	identity(out)
	switch {
	case asked.Fetch():
		f.Gate.ServeWhole(w, out, req, "git pack", refusePack)
	case asked.Command == "ls-refs":
		f.relay(req).ServeHTTP(w, out)
	default:
		return fmt.Errorf("%w: git command %q", errNotCovered, asked.Command)
	}
	return nil
}

// refusePack tells git why it gets no pack. A status other than 200 hides the
// reason from the user; an ERR line is printed (gitprotocol-pack(5)).
func refusePack(w http.ResponseWriter, refused *gate.Refused) {
	line := "ERR " + hub.OneLine(refused.Error(), maxLine) + "\n"
	w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	fmt.Fprintf(w, "%04x%s", len(line)+4, line)
}
