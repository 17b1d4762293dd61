package proxy

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
)

// maxJSON bounds an answer that has to be read whole, in bytes. The tree of
// the largest repositories comes in pages of 1 000 entries.
const maxJSON = 64 << 20

// cleanBody takes the Xet signals out of a JSON answer, but for files that are
// to be offered so. Other bodies stream through as they are.
func (f *Front) cleanBody(req hub.Request, resp *http.Response) error {
	// Clients read these as JSON whatever their media type.
	listing := req.Kind == hub.Info || req.Kind == hub.Tree || req.Kind == hub.PathsInfo
	isJSON := mediaType(resp.Header) == "application/json" || listing && resp.StatusCode < 300
	if resp.Request.Method == http.MethodHead || !isJSON {
		return nil
	}
	body, err := readAnswer(resp)
	if err != nil {
		return err
	}
	if resp.Header.Get("Content-Encoding") != "" {
		return fmt.Errorf("%w: packed although identity was asked", errAnswer)
	}
	if len(body) > 0 {
		var offered bool
		if body, offered, err = hub.CleanJSONUpTo(body, f.Xet.strips()); err != nil {
			return fmt.Errorf("%w: %w", errAnswer, err)
		}
		if offered && f.Xet.mode() == XetFacade && (req.Kind == hub.Tree || req.Kind == hub.PathsInfo) {
			f.Xet.learnList(req, body)
		}
	}
	if m, ok := mirrorOf(resp.Request); ok {
		body = m.JSON(body)
	}
	setBody(resp, body)
	return nil
}

func setBody(resp *http.Response, body []byte) {
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.TransferEncoding = nil
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
}

func mediaType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// readAnswer reads and closes the body of resp.
func readAnswer(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJSON+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", fetch.ErrTruncated, err)
	case len(body) > maxJSON:
		return nil, fmt.Errorf("%w: larger than %d bytes", errAnswer, maxJSON)
	}
	return body, nil
}

// maxRequest bounds a request body that is read whole, in bytes.
const maxRequest = 16 << 20

// readRequest reads the body of a request.
func readRequest(in io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
	switch {
	case err != nil:
		return nil, badRequest(err)
	case len(body) > maxRequest:
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLong, maxRequest)
	}
	return body, nil
}

// send sends a request on and reads the whole answer.
func (f *Front) send(out *http.Request) (*http.Response, []byte, error) {
	resp, err := unreachable{f.Transport}.RoundTrip(out)
	if err != nil {
		return nil, nil, err
	}
	body, err := readAnswer(resp)
	return resp, body, err
}
