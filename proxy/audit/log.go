package audit

import (
	"context"
	"log/slog"
	"time"
)

// Message is the log message of every download record.
const Message = "download"

// The keys of a download record in a log, in the order they appear. Method,
// status and error are there only when they say something.
const (
	KeyRequestID    = "request_id"
	KeyClient       = "client"
	KeyMethod       = "method"
	KeyRepo         = "repo"
	KeyRevision     = "revision"
	KeyPath         = "path"
	KeySHA256       = "sha256"
	KeySize         = "size" // bytes
	KeyVerdict      = "verdict"
	KeyDecision     = "decision"
	KeyCache        = "cache"
	KeyBytesFetched = "bytes_fetched"
	KeyBytesSent    = "bytes_sent"
	KeyVerdictMS    = "verdict_ms" // whole milliseconds
	KeyStatus       = "status"
	KeyError        = "error"
)

// Log returns a sink that writes each record as one line to l: at level Error
// when something failed, Warn when the file was stopped or should have been
// looked at, Info otherwise. Redaction is the logger's (see NewLogger).
func Log(l *slog.Logger) Sink { return logSink{l.Handler()} }

type logSink struct{ h slog.Handler }

func (s logSink) Record(ctx context.Context, r Record) {
	level := slog.LevelInfo
	switch r.Decision {
	case DecisionAllow:
	case DecisionError:
		level = slog.LevelError
	default:
		level = slog.LevelWarn
	}
	if !s.h.Enabled(ctx, level) {
		return
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	line := slog.NewRecord(r.Time, level, Message, 0)
	line.AddAttrs(
		slog.String(KeyRequestID, r.RequestID),
		slog.String(KeyClient, r.Client),
	)
	if r.Method != "" {
		line.AddAttrs(slog.String(KeyMethod, r.Method))
	}
	line.AddAttrs(
		slog.String(KeyRepo, r.Repo),
		slog.String(KeyRevision, r.Revision),
		slog.String(KeyPath, r.Path),
		slog.String(KeySHA256, r.SHA256),
		slog.Int64(KeySize, r.Size),
		slog.String(KeyVerdict, r.Verdict.String()),
		slog.String(KeyDecision, r.Decision),
		slog.String(KeyCache, r.Cache),
		slog.Int64(KeyBytesFetched, r.BytesFetched),
		slog.Int64(KeyBytesSent, r.BytesSent),
		slog.Int64(KeyVerdictMS, r.VerdictTime.Milliseconds()),
	)
	if r.Status != 0 {
		line.AddAttrs(slog.Int(KeyStatus, r.Status))
	}
	if r.Error != "" {
		line.AddAttrs(slog.String(KeyError, r.Error))
	}
	// A log that can not be written has nowhere to say so.
	_ = s.h.Handle(ctx, line)
}
