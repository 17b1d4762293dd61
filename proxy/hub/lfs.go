package hub

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ErrLFS is the class of errors about a Git LFS batch message that is not of
// the form that git-lfs/docs/api/batch.md gives.
var ErrLFS = errors.New("not a Git LFS batch message")

// Pointer names an LFS object, as the pointer file in git does.
type Pointer struct {
	OID  string // sha256, 64 lower-case hex digits
	Size int64  // bytes
}

// The operations of a batch request.
const (
	LFSDownload = "download"
	LFSUpload   = "upload"
)

// RewriteBatchRequest reads the body of a batch request and returns it as it
// has to be sent: a download that offers only the "basic" transfer, so that
// every object comes over plain HTTP (git-xet offers "xet" as well). An upload
// is returned as it is.
//
// The errors are of class ErrLFS: a body that two servers could read in two
// ways (a member twice, an object without a sha256) is refused.
func RewriteBatchRequest(body []byte) (out []byte, objects []Pointer, operation string, err error) {
	m, err := decodeMembers(body, "operation", "transfers", "objects", "hash_algo")
	if err != nil {
		return nil, nil, "", err
	}
	if err := member(m, "operation", &operation); err != nil {
		return nil, nil, "", err
	}
	if operation != LFSDownload && operation != LFSUpload {
		return nil, nil, "", fmt.Errorf("%w: unknown operation %q", ErrLFS, OneLine(operation, 40))
	}
	var algorithm string
	if err := member(m, "hash_algo", &algorithm); err != nil {
		return nil, nil, "", err
	}
	if algorithm != "" && algorithm != "sha256" {
		return nil, nil, "", fmt.Errorf("%w: unknown hash_algo %q", ErrLFS, OneLine(algorithm, 40))
	}
	var raw []json.RawMessage
	if err := member(m, "objects", &raw); err != nil {
		return nil, nil, "", err
	}
	parsed := make([]map[string]json.RawMessage, 0, len(raw))
	for _, r := range raw {
		o, err := decodeMembers(r, "oid", "size")
		if err != nil {
			return nil, nil, "", err
		}
		p, err := pointer(o)
		if err != nil {
			return nil, nil, "", err
		}
		parsed, objects = append(parsed, o), append(objects, p)
	}
	if operation == LFSUpload {
		return body, objects, operation, nil
	}
	m["transfers"] = json.RawMessage(`["basic"]`)
	if m["objects"], err = json.Marshal(parsed); err != nil {
		return nil, nil, "", fmt.Errorf("%w: %w", ErrLFS, err)
	}
	if out, err = json.Marshal(m); err != nil {
		return nil, nil, "", fmt.Errorf("%w: %w", ErrLFS, err)
	}
	return out, objects, operation, nil
}

// BatchResponse is the answer to a batch request. Members that this package
// does not know survive ParseBatchResponse and Encode.
type BatchResponse struct {
	Transfer string
	Objects  []BatchObject
	rest     map[string]json.RawMessage
}

// BatchObject is one object of a BatchResponse: Actions or Error.
type BatchObject struct {
	Pointer
	Actions map[string]*Action // by name: "download"
	Error   *BatchError
	rest    map[string]json.RawMessage
}

// Action says where an object is. Href and the values of Header can be secrets
// of the caller's: they do not belong in a log.
type Action struct {
	Href   string
	Header map[string]string
	rest   map[string]json.RawMessage
}

// BatchError is the refusal of one object. git-lfs shows Message to the user
// and gives up on the object at once; the other objects go on.
type BatchError struct {
	Code    int    `json:"code"` // an HTTP status; not 401, which git-lfs answers by trying again and again
	Message string `json:"message"`
}

// ParseBatchResponse reads the body of a batch response with status 200. Its
// errors are of class ErrLFS.
func ParseBatchResponse(body []byte) (*BatchResponse, error) {
	m, err := decodeMembers(body, "transfer", "objects")
	if err != nil {
		return nil, err
	}
	b := &BatchResponse{rest: m}
	var raw []json.RawMessage
	if err := cmp.Or(take(m, "transfer", &b.Transfer), take(m, "objects", &raw)); err != nil {
		return nil, err
	}
	for _, r := range raw {
		o, err := parseBatchObject(r)
		if err != nil {
			return nil, err
		}
		b.Objects = append(b.Objects, o)
	}
	return b, nil
}

func parseBatchObject(body []byte) (BatchObject, error) {
	m, err := decodeMembers(body, "oid", "size", "actions", "error")
	if err != nil {
		return BatchObject{}, err
	}
	o := BatchObject{rest: m}
	if o.Pointer, err = pointer(m); err != nil {
		return o, err
	}
	delete(m, "oid")
	delete(m, "size")
	var actions map[string]json.RawMessage
	if err := cmp.Or(take(m, "error", &o.Error), take(m, "actions", &actions)); err != nil {
		return o, err
	}
	for name, r := range actions {
		am, err := decodeMembers(r, "href", "header")
		if err != nil {
			return o, err
		}
		a := &Action{rest: am}
		if err := cmp.Or(take(am, "href", &a.Href), take(am, "header", &a.Header)); err != nil {
			return o, err
		}
		if o.Actions == nil {
			o.Actions = make(map[string]*Action, len(actions))
		}
		o.Actions[name] = a
	}
	return o, nil
}

// Clean leaves of the answer to a download only what can be inspected on its
// way: the basic transfer, and download actions that point to an object on a
// host of the Hub or its CDN. What is left of an object otherwise is an error
// that says why. X-Xet-… headers are taken out of actions.
func (b *BatchResponse) Clean() {
	b.Transfer = "basic"
	for i := range b.Objects {
		o := &b.Objects[i]
		download := o.Actions["download"]
		o.Actions = nil
		if o.Error != nil {
			o.Error.Message = OneLine(o.Error.Message, maxMessage)
			continue
		}
		switch reason := badHref(download); {
		case download == nil:
			o.Error = &BatchError{Code: http.StatusBadGateway, Message: "The Hub named no place to download this object from."}
		case reason != "":
			o.Error = &BatchError{Code: http.StatusForbidden, Message: reason}
		default:
			for key := range download.Header {
				if strings.HasPrefix(strings.ToLower(key), "x-xet-") {
					delete(download.Header, key)
				}
			}
			o.Actions = map[string]*Action{"download": download}
		}
	}
}

// badHref says what is wrong with the place that a points to, "" if nothing is.
func badHref(a *Action) string {
	if a == nil {
		return ""
	}
	u, err := url.Parse(a.Href)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return "The Hub sent an address for this object that can not be used."
	}
	r := Classify(http.MethodGet, u.Host, u)
	switch {
	case r.Kind.Xet():
		return XetRefusal
	case r.Role != RoleHub && r.Role != RoleCDN, !r.Kind.IsFile(), r.Ambiguous:
		return "The Hub keeps this object on a host that is not known to be the Hub's: " + OneLine(u.Hostname(), 100)
	}
	return ""
}

// Refuse replaces what the answer says about oid by an error, and returns how
// many objects that were. The message is cut to one line.
func (b *BatchResponse) Refuse(oid string, code int, message string) int {
	n := 0
	for i := range b.Objects {
		if o := &b.Objects[i]; o.OID == oid {
			o.Actions = nil
			o.Error = &BatchError{Code: code, Message: OneLine(message, maxMessage)}
			n++
		}
	}
	return n
}

// Encode returns the body to send.
func (b *BatchResponse) Encode() ([]byte, error) {
	objects := make([]map[string]any, len(b.Objects))
	for i, o := range b.Objects {
		m := members(o.rest)
		m["oid"], m["size"] = o.OID, o.Size
		if o.Error != nil {
			m["error"] = o.Error
		}
		if len(o.Actions) > 0 {
			actions := make(map[string]any, len(o.Actions))
			for name, a := range o.Actions {
				am := members(a.rest)
				am["href"] = a.Href
				if len(a.Header) > 0 {
					am["header"] = a.Header
				}
				actions[name] = am
			}
			m["actions"] = actions
		}
		objects[i] = m
	}
	m := members(b.rest)
	m["objects"] = objects
	if b.Transfer != "" {
		m["transfer"] = b.Transfer
	}
	out, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLFS, err)
	}
	return out, nil
}

// members copies rest into a map that can hold any value.
func members(rest map[string]json.RawMessage) map[string]any {
	m := make(map[string]any, len(rest)+4)
	for k, v := range rest {
		m[k] = v
	}
	return m
}

// pointer reads the oid and size of an object.
func pointer(m map[string]json.RawMessage) (Pointer, error) {
	var p Pointer
	size := int64(-1)
	if err := cmp.Or(member(m, "oid", &p.OID), member(m, "size", &size)); err != nil {
		return p, err
	}
	if lowerHex(p.OID, 64) != p.OID || p.OID == "" {
		return p, fmt.Errorf("%w: oid %q is not a sha256", ErrLFS, OneLine(p.OID, 80))
	}
	if size < 0 {
		return p, fmt.Errorf("%w: object %s has no size", ErrLFS, p.OID)
	}
	p.Size = size
	return p, nil
}

// decodeMembers decodes one JSON object. A member that is there twice, and one
// of the known ones in other case, is an error: readers differ in what they
// believe (git-lfs, written in Go, ignores case).
func decodeMembers(body []byte, known ...string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: not a JSON object", ErrLFS)
	}
	m, seen := map[string]json.RawMessage{}, map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLFS, err)
		}
		key, _ := t.(string)
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLFS, err)
		}
		lower := strings.ToLower(key)
		otherCase := slices.ContainsFunc(known, func(k string) bool { return k != key && strings.EqualFold(k, key) })
		if seen[lower] || otherCase {
			return nil, fmt.Errorf("%w: member %q twice, or in other case", ErrLFS, OneLine(key, 40))
		}
		seen[lower] = true
		m[key] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLFS, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: text after the end", ErrLFS)
	}
	return m, nil
}

// member decodes m[name] into v, if it is there.
func member(m map[string]json.RawMessage, name string, v any) error {
	raw, ok := m[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%w: member %q: %w", ErrLFS, name, err)
	}
	return nil
}

// take is member, and removes it from m.
func take(m map[string]json.RawMessage, name string, v any) error {
	err := member(m, name, v)
	delete(m, name)
	return err
}
