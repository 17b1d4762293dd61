package hub

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ErrPktLine is the class of errors about a git request that is not made of
// pkt-lines, or whose pkt-lines are not a request.
var ErrPktLine = errors.New("not a git-upload-pack request")

// UploadPack is what a git-upload-pack request asks for.
type UploadPack struct {
	Version int // of git's wire protocol: 2, or 0 for both 0 and 1
	// Command is "fetch", "ls-refs", or another command of version 2 as the
	// client spells it; "fetch" for version 0. What is neither of the two
	// (bundle-uri, for one, names places to download packs from) is better
	// refused.
	Command string
}

// Fetch reports whether the answer is or ends in a pack.
func (u UploadPack) Fetch() bool { return u.Command == "fetch" }

// RewriteUploadPackRequest reads the body of a POST to git-upload-pack and
// returns it as it has to be sent so that the answer can be inspected: without
// thin-pack, so that the pack holds every object whole and no delta against
// objects that only the client has, and without packfile-uris, by which the
// server would send the client elsewhere for a part. The body must not be
// compressed any more (git sends Content-Encoding: gzip when it is long).
//
// Its errors are of class ErrPktLine.
func RewriteUploadPackRequest(body []byte) ([]byte, UploadPack, error) {
	lines, err := readPktLines(body)
	if err != nil {
		return nil, UploadPack{}, err
	}
	var u UploadPack
	for _, l := range lines {
		if l.special {
			break
		}
		if command, ok := strings.CutPrefix(l.text(), "command="); ok {
			if u.Command != "" {
				return nil, u, fmt.Errorf("%w: two commands", ErrPktLine)
			}
			u = UploadPack{Version: 2, Command: command}
		}
	}
	if u.Version == 2 {
		lines, err = rewriteV2(lines)
	} else {
		u.Command = "fetch"
		lines, err = rewriteV0(lines)
	}
	if err != nil {
		return nil, u, err
	}
	out := make([]byte, 0, len(body))
	for _, l := range lines {
		out = l.appendTo(out)
	}
	return out, u, nil
}

// rewriteV2 rewrites: command and capabilities, delimiter, arguments, flush.
func rewriteV2(lines []pktLine) ([]pktLine, error) {
	var kept []pktLine
	arguments := false
	for i, l := range lines {
		switch {
		case l.special && l.code == pktFlush:
			if i != len(lines)-1 {
				return nil, fmt.Errorf("%w: text after the end", ErrPktLine)
			}
		case l.special && l.code == pktDelim:
			if arguments {
				return nil, fmt.Errorf("%w: two delimiters", ErrPktLine)
			}
			arguments = true
		case l.special:
			return nil, fmt.Errorf("%w: a response-end packet", ErrPktLine)
		case arguments:
			if word, _, _ := strings.Cut(l.text(), " "); word == "thin-pack" || word == "packfile-uris" {
				continue
			}
		}
		kept = append(kept, l)
	}
	if n := len(lines); !lines[n-1].special || lines[n-1].code != pktFlush {
		return nil, fmt.Errorf("%w: no flush packet at the end", ErrPktLine)
	}
	return kept, nil
}

// rewriteV0 rewrites: want lines, with capabilities after the object's id, then
// what the client has.
func rewriteV0(lines []pktLine) ([]pktLine, error) {
	kept := make([]pktLine, 0, len(lines))
	for i, l := range lines {
		if l.special {
			if l.code != pktFlush {
				return nil, fmt.Errorf("%w: a delimiter in protocol version 0", ErrPktLine)
			}
			kept = append(kept, l)
			continue
		}
		word, rest, _ := strings.Cut(l.text(), " ")
		switch word {
		case "want":
			fields := strings.Fields(rest)
			if len(fields) == 0 {
				return nil, fmt.Errorf("%w: a want without an object", ErrPktLine)
			}
			changed := false
			line := "want " + fields[0]
			for _, f := range fields[1:] {
				if f == "thin-pack" || strings.HasPrefix(f, "thin-pack=") {
					changed = true
				} else {
					line += " " + f
				}
			}
			if changed {
				l = pktLine{data: []byte(line + "\n")}
			}
		case "shallow", "deepen", "deepen-since", "deepen-not", "filter", "have", "done":
			if i == 0 {
				return nil, fmt.Errorf("%w: no want line first", ErrPktLine)
			}
		default:
			return nil, fmt.Errorf("%w: unknown line %q", ErrPktLine, OneLine(word, 40))
		}
		kept = append(kept, l)
	}
	return kept, nil
}

// The special packets.
const (
	pktFlush       = 0
	pktDelim       = 1
	pktResponseEnd = 2
)

// maxPktLine is the longest pkt-line that git accepts, its length included.
const maxPktLine = 65520

// pktLine is one packet.
type pktLine struct {
	data    []byte // without the length
	special bool
	code    int // of a special packet
}

// text returns the data without the newline that a client may put at the end.
func (l pktLine) text() string { return string(bytes.TrimSuffix(l.data, []byte("\n"))) }

func (l pktLine) appendTo(out []byte) []byte {
	if l.special {
		return fmt.Appendf(out, "%04x", l.code)
	}
	return append(fmt.Appendf(out, "%04x", len(l.data)+4), l.data...)
}

// readPktLines takes a body apart. There is at least one line without error.
func readPktLines(body []byte) ([]pktLine, error) {
	var lines []pktLine
	for at := 0; at < len(body); {
		if len(body)-at < 4 {
			return nil, fmt.Errorf("%w: cut off at byte %d", ErrPktLine, at)
		}
		n := 0
		for _, c := range body[at : at+4] {
			if !isHexDigit(c) {
				return nil, fmt.Errorf("%w: bad length at byte %d", ErrPktLine, at)
			}
			n = n<<4 | int(hexValue(c))
		}
		switch {
		case n <= pktResponseEnd:
			lines = append(lines, pktLine{special: true, code: n})
			at += 4
		case n <= 4: // 4 is an empty packet, which git forbids
			return nil, fmt.Errorf("%w: length %d at byte %d", ErrPktLine, n, at)
		case n > maxPktLine:
			return nil, fmt.Errorf("%w: length %d at byte %d is too much", ErrPktLine, n, at)
		case n > len(body)-at:
			return nil, fmt.Errorf("%w: cut off at byte %d", ErrPktLine, at)
		default:
			lines = append(lines, pktLine{data: body[at+4 : at+n]})
			at += n
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrPktLine)
	}
	return lines, nil
}
