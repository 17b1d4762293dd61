package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
)

func sample() Record {
	return Record{
		Time:      time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC),
		RequestID: "01HX", Client: "192.0.2.7", Method: "GET",
		Repo: "models/org/name", Revision: "main", Path: "sub/model.bin",
		SHA256: strings.Repeat("ab", 32), Size: 12345,
		Verdict: scan.Malicious, Decision: DecisionBlock, Cache: CacheMiss,
		BytesFetched: 12345, BytesSent: 67, VerdictTime: 1234567 * time.Microsecond,
		Status: 403, Error: "malformed at byte 7",
	}
}

func TestLogWritesTheCanonicalKeys(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Record)
		want   string
	}{
		{
			"everything", func(*Record) {},
			`{"time":"2026-03-04T05:06:07.000008Z","level":"WARN","msg":"download","request_id":"01HX","client":"192.0.2.7","method":"GET",` +
				`"repo":"models/org/name","revision":"main","path":"sub/model.bin","sha256":"` + strings.Repeat("ab", 32) + `","size":12345,` +
				`"verdict":"malicious","decision":"block","cache":"miss","bytes_fetched":12345,"bytes_sent":67,"verdict_ms":1234,"status":403,"error":"malformed at byte 7"}`,
		},
		{
			"nothing", func(r *Record) { *r = Record{Time: r.Time, Decision: DecisionAllow} },
			`{"time":"2026-03-04T05:06:07.000008Z","level":"INFO","msg":"download","request_id":"","client":"","repo":"","revision":"","path":"",` +
				`"sha256":"","size":0,"verdict":"undetermined","decision":"allow","cache":"","bytes_fetched":0,"bytes_sent":0,"verdict_ms":0}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			r := sample()
			tt.change(&r)
			Log(NewLogger(&out, "json", slog.LevelInfo)).Record(context.Background(), r)
			if diff := cmp.Diff(tt.want+"\n", out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLogLevels(t *testing.T) {
	tests := map[string]string{
		DecisionAllow: "INFO", DecisionWarn: "WARN", DecisionQuarantine: "WARN", DecisionBlock: "WARN",
		DecisionWouldBlock: "WARN", DecisionRefused: "WARN", DecisionError: "ERROR", "": "WARN",
	}
	for decision, want := range tests {
		var out bytes.Buffer
		Log(NewLogger(&out, "json", slog.LevelDebug)).Record(context.Background(), Record{Decision: decision})
		var got struct {
			Time  time.Time
			Level string
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Level != want || got.Time.IsZero() {
			t.Errorf("decision %q: level %s, time %v, want level %s and a time", decision, got.Level, got.Time, want)
		}
	}
	var out bytes.Buffer
	Log(NewLogger(&out, "json", slog.LevelWarn)).Record(context.Background(), Record{Decision: DecisionAllow})
	if out.Len() != 0 {
		t.Errorf("a record below the level was written: %s", &out)
	}
}

type keep struct {
	mu   sync.Mutex
	got  []Record
	ctxs []context.Context
}

func (k *keep) Record(ctx context.Context, r Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.got, k.ctxs = append(k.got, r), append(k.ctxs, ctx)
}

func TestMulti(t *testing.T) {
	var a, b keep
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // the client has left: the record is passed on all the same
	m := Multi(&a, nil, &b)
	m.Record(ctx, sample())
	m.Record(ctx, Record{RequestID: "without a time"})
	if diff := cmp.Diff(a.got, b.got); diff != "" || len(a.got) != 2 {
		t.Errorf("%d records, sinks differ: %s", len(a.got), diff)
	}
	if diff := cmp.Diff(sample(), a.got[0]); diff != "" {
		t.Error(diff)
	}
	if a.got[1].Time.IsZero() {
		t.Error("a record without a time stays without one")
	}
	Multi().Record(ctx, sample())
}

func TestSummary(t *testing.T) {
	s := NewSummary(2)
	send := func(path, decision string) {
		s.Record(context.Background(), Record{Repo: "models/a/b", Revision: "main", Path: path, Decision: decision, BytesSent: 10})
	}
	for range 8 {
		send("big.safetensors", DecisionAllow) // eight ranges of one file
	}
	send("readme", DecisionWarn)
	for range 6 {
		send("evil.bin", DecisionBlock) // retries
	}
	send("odd.bin", DecisionQuarantine)
	send("monitored.bin", DecisionWouldBlock)
	send("gone", DecisionError)
	send("xet", DecisionRefused)
	send("late.bin", DecisionError)
	send("late.bin", DecisionAllow) // failed once, then came through

	got := s.Totals()
	want := Totals{
		Requests: 21, Checked: 6, Allowed: 3, Warned: 1, Quarantined: 1, Blocked: 1, WouldBlock: 1, Failed: 3,
		BytesSent: 210, More: 1,
		Stopped: []Record{
			{Repo: "models/a/b", Revision: "main", Path: "evil.bin", Decision: DecisionBlock, BytesSent: 10},
			{Repo: "models/a/b", Revision: "main", Path: "odd.bin", Decision: DecisionQuarantine, BytesSent: 10},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got.Stopped[0].Path = "changed by the reader"
	if diff := cmp.Diff(want, s.Totals()); diff != "" {
		t.Errorf("the totals share memory with the summary: %s", diff)
	}
}

func TestSummaryOfManyRequestsAtOnce(t *testing.T) {
	s := NewSummary(1000)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				s.Record(context.Background(), Record{Path: fmt.Sprint(i), Decision: DecisionBlock, BytesSent: 1, RequestID: fmt.Sprint(g)})
				s.Totals()
			}
		})
	}
	wg.Wait()
	got := s.Totals()
	if got.Requests != 400 || got.Checked != 50 || got.Blocked != 50 || len(got.Stopped) != 50 || got.More != 0 {
		t.Errorf("got %d requests, %d checked, %d blocked, %d kept, %d more", got.Requests, got.Checked, got.Blocked, len(got.Stopped), got.More)
	}
}
