package config

import (
	"bytes"
	"hash/fnv"
	"io"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/jsontext"
	"modelwall/scan/internal/refs"
)

// maxTemplates bounds how many different templates one file may hold.
const maxTemplates = 10_000

// template hands a template on. One in chat_template is rendered with every
// conversation; other keys are recognised by their name, and any string that
// is a template and reaches for the interpreter is worth a look.
func (w *walk) template(key string, t jsontext.Token) error {
	if len(t.Text) == 0 {
		return nil
	}
	chat := w.under(is("chat_template"))
	if key == "name" && chat {
		// The templates of a list are saved under their names (CVE-2026-9856).
		if v := string(t.Text); refs.Escapes(v) || refs.Rooted(v) || strings.ContainsAny(v, "/\\") {
			w.finding("config.path", scan.SeverityMalicious, refs.TechTraversal, t.Off, "a chat template's name leads to another folder when it is saved: "+scan.Quote(v, 200))
		}
		return nil
	}
	if f := w.top(); chat && !f.array && f.key == "chat_template" && (refs.Escapes(key) || strings.ContainsAny(key, "/\\")) {
		w.finding("config.path", scan.SeverityMalicious, refs.TechTraversal, t.Off, "a chat template's name leads to another folder when it is saved: "+scan.Quote(key, 200))
	}
	marked := bytes.Contains(t.Text, []byte("{{")) || bytes.Contains(t.Text, []byte("{%"))
	switch {
	case chat && (marked || t.Cut || strings.Contains(key, "template")):
	case marked && strings.Contains(strings.ToLower(key), "template"):
	case t.Cut && strings.Contains(strings.ToLower(key), "template"):
	case marked && refs.Reaches(t.Text):
	default:
		return nil
	}
	h := fnv.New64a()
	if _, err := io.Copy(h, jsontext.Decode(w.ctx, w.src, t.Off, t.End)); err != nil {
		return err
	}
	if w.handed[h.Sum64()] {
		return nil
	}
	if len(w.handed) >= maxTemplates {
		return scan.Limit(t.Off, "more than %d templates", maxTemplates)
	}
	w.handed[h.Sum64()] = true
	return w.sink.Member(w.ctx, scan.Member{Name: "chat_template", Stream: jsontext.Decode(w.ctx, w.src, t.Off, t.End)})
}

// blob looks into text that encodes bytes.
func (w *walk) blob(t jsontext.Token) error {
	h := refs.FindHidden(t.Text, t.End-t.Off)
	if h == nil {
		return nil
	}
	if !h.Whole() {
		w.finding("config.encoded", scan.SeveritySuspicious, refs.TechObfuscate, t.Off, "encoded text holds "+h.What+": "+scan.Quote(string(h.Head), 120))
		return nil
	}
	w.finding("config.encoded", scan.Low, refs.TechObfuscate, t.Off, "an encoded "+h.What)
	src := jsontext.Decode(w.ctx, w.src, t.Off, t.End)
	if _, err := io.CopyN(io.Discard, src, h.Skip); err != nil {
		return err
	}
	return w.sink.Member(w.ctx, scan.Member{Name: "encoded", Stream: h.Decode(src), Packed: t.End - t.Off})
}
