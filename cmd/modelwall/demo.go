package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"modelwall/config"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
)

func newDemoCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See the firewall at work, offline",
		Long: `Start a Hub with TLS for the real host names, the firewall and an HTTP client, all
inside this process and on loopback, and download clean and malicious models.
Nothing is installed, nothing is kept, and no network is used.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), cmd.OutOrStdout())
		},
	}
}

// demoToken may read the gated repository; any other may not.
const demoToken = "hf_demoDemoDemoDemoDemoDemoDemo" //nolint:gosec // valid in the demo's own Hub only

// demoFile is one download of the demo with the outcome that is right.
type demoFile struct {
	title   string
	repo    string
	path    string
	token   string
	content []byte // what has to arrive; nil if nothing may
	status  int
}

func demoFiles() (files []demoFile, repos []hubtest.Repo) {
	clean := sample.Safetensors(1, 3<<20)
	checkpoint := sample.Checkpoint(2, 2<<20)
	gated := sample.Safetensors(3, 1<<20)
	evil := hubtest.Files{
		"model.bin":         hubtest.Bytes(sample.BrokenPickleSevenZip()),
		"weights.pkl":       hubtest.Bytes(sample.BrokenPickle()),
		"pytorch_model.bin": hubtest.Bytes(sample.CheckpointMalicious(4, 2<<20)),
	}
	repos = []hubtest.Repo{
		{ID: "acme/tiny-llama", Xet: true, Files: hubtest.Files{
			"model.safetensors": hubtest.Bytes(clean),
			"pytorch_model.bin": hubtest.Bytes(checkpoint),
			"config.json":       hubtest.Bytes(demoConfig),
		}},
		{ID: "acme/gated", Gated: true, Tokens: []string{demoToken}, Files: hubtest.Files{"model.safetensors": hubtest.Bytes(gated)}},
		{ID: "glockr1/ballr7", Files: evil},
	}
	files = []demoFile{
		{title: "config.json", repo: "acme/tiny-llama", path: "config.json", content: []byte(demoConfig), status: http.StatusOK},
		{title: "clean safetensors model", repo: "acme/tiny-llama", path: "model.safetensors", content: clean, status: http.StatusOK},
		{title: "clean PyTorch checkpoint", repo: "acme/tiny-llama", path: "pytorch_model.bin", content: checkpoint, status: http.StatusOK},
		{title: "nullifAI: broken pickle in 7z", repo: "glockr1/ballr7", path: "model.bin", status: http.StatusForbidden},
		{title: "broken pickle, payload first", repo: "glockr1/ballr7", path: "weights.pkl", status: http.StatusForbidden},
		{title: "PyTorch zip with a payload", repo: "glockr1/ballr7", path: "pytorch_model.bin", status: http.StatusForbidden},
		{title: "blocked file, once more", repo: "glockr1/ballr7", path: "pytorch_model.bin", status: http.StatusForbidden},
		{title: "clean model, from the cache", repo: "acme/tiny-llama", path: "model.safetensors", content: clean, status: http.StatusOK},
		{title: "gated model, with its token", repo: "acme/gated", path: "model.safetensors", token: demoToken, content: gated, status: http.StatusOK},
		{title: "gated model, without a token", repo: "acme/gated", path: "model.safetensors", status: http.StatusUnauthorized},
	}
	return files, repos
}

const demoConfig = `{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64}
`

func demo(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "modelwall-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	hub, err := hubtest.Start(hubtest.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hub.Close()) }()
	files, repos := demoFiles()
	for _, r := range repos {
		if _, err := hub.AddRepo(r); err != nil {
			return err
		}
	}
	p, err := startDemoProxy(ctx, hub, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	client, err := demoClient(p)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()

	fmt.Fprintf(out, "Modelwall demo. A Hub, the firewall (%s) and a client run on this machine; no network is used.\n\n", p.Addr())
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"Download", "From", "Client got", "Time", ""})
	paint := coloursFor(out)
	wrong := 0
	var message string
	for _, f := range files {
		got := fetchDemo(ctx, client, f)
		mark := paint.green("as it should be")
		if got.err != nil {
			wrong++
			mark = paint.red("WRONG: " + got.err.Error())
		}
		if message == "" && got.message != "" {
			message = got.message
		}
		t.AppendRow(table.Row{f.title, f.repo + "/" + f.path, got.summary(), got.took.Round(time.Millisecond), mark})
	}
	fmt.Fprintln(out, t.Render())
	fmt.Fprintf(out, "\nWhat the client was told about the first file that was stopped:\n\n  %s\n", wrap(printable(message), 100, "\n  "))
	if n := len(hub.Leaks()); n > 0 {
		wrong++
		fmt.Fprintf(out, "\nWRONG: %d requests took a token to a host it was not meant for\n", n)
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d outcomes are wrong", wrong, len(files))
	}
	fmt.Fprintf(out, "\nAll %d outcomes are right. Next: modelwall run -- hf download org/model\n", len(files))
	return nil
}

func startDemoProxy(ctx context.Context, hub *hubtest.Hub, dir string) (*proxyInstance, error) {
	cfg := config.Default()
	cfg.Listen, cfg.Admin.Listen = "127.0.0.1:0", ""
	cfg.DataDir = filepath.Join(dir, "data")
	cfg.Upstream.CAFile = hub.CAFile()
	if err := cfg.Upstream.Proxy.UnmarshalText([]byte(hub.ProxyURL())); err != nil {
		return nil, err
	}
	return startProxy(ctx, cfg, io.Discard)
}

// demoClient is an ordinary HTTP client that uses the proxy and trusts its CA.
func demoClient(p *proxyInstance) (*http.Client, error) {
	pem, err := os.ReadFile(p.CAFile())
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", p.CAFile())
	}
	return &http.Client{Transport: &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: p.Addr()}),
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}}, nil
}

// demoResult is what a download came to.
type demoResult struct {
	status  int
	bytes   int
	message string
	took    time.Duration
	err     error // the outcome is not the right one
}

func (r demoResult) summary() string {
	if r.status == http.StatusOK {
		return fmt.Sprintf("200, %d KiB", (r.bytes+1023)/1024)
	}
	return fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
}

func fetchDemo(ctx context.Context, client *http.Client, f demoFile) (r demoResult) {
	started := time.Now()
	defer func() { r.took = time.Since(started) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://huggingface.co/"+f.repo+"/resolve/main/"+f.path, nil)
	if err != nil {
		return demoResult{err: err}
	}
	if f.token != "" {
		req.Header.Set("Authorization", "Bearer "+f.token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return demoResult{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r = demoResult{status: resp.StatusCode, bytes: len(body), err: err}
	switch {
	case err != nil:
	case r.status != f.status:
		r.err = fmt.Errorf("status %d, want %d", r.status, f.status)
	case f.content != nil && !bytes.Equal(body, f.content):
		r.err = errors.New("the content differs")
	case f.status == http.StatusForbidden:
		r.message = resp.Header.Get("X-Error-Message")
		var told struct{ Message, SHA256 string }
		if err := json.Unmarshal(body, &told); err != nil || told.SHA256 == "" || r.message == "" {
			r.err = errors.New("the block does not explain itself")
		}
	}
	return r
}

// wrap breaks a line at spaces.
func wrap(s string, width int, sep string) string {
	var b strings.Builder
	n := 0
	for i, word := range strings.Fields(s) {
		switch {
		case i == 0:
		case n+1+len(word) > width:
			b.WriteString(sep)
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += len(word)
	}
	return b.String()
}
