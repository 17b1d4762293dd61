package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Default returns the configuration without file, environment and flags; the
// file proxy.yaml at the top of the repository says the same with comments.
// DataDir is "" where no home folder is known: Load makes that an error.
func Default() *Config {
	dir, _ := dataHome() // Load reports an error, and only if data_dir is not set
	return &Config{
		Listen:  "127.0.0.1:8080",
		Admin:   Admin{Listen: "127.0.0.1:8081"},
		DataDir: dir,
		Upstream: Upstream{
			ConnectTimeout:        10 * time.Second,
			ResponseHeaderTimeout: 60 * time.Second,
			StallTimeout:          30 * time.Second,
			Retries:               5,
		},
		Intercept:  []string{"huggingface.co", "hf.co"},
		OtherHosts: Tunnel,
		Ports:      []int{443, 80},
		Mirror:     Mirror{Offline: Never},
		Xet:        XetFacade,
		Gate:       Gate{Hold: 8 * time.Second},
		Policy: Policy{
			Malicious:    Block,
			Suspicious:   Quarantine,
			Undetermined: Quarantine,
			Clean:        Allow,
			AllowRepos:   []string{},
			DenyRepos:    []string{},
		},
		Scan: Scan{
			Timeout:    30 * time.Minute,
			MaxDepth:   8,
			MaxMembers: 100_000,
			MaxBytes:   64 << 30,
			MaxRatio:   2000,
		},
		Server: Server{
			HeaderTimeout:    10 * time.Second,
			IdleTimeout:      2 * time.Minute,
			HandshakeTimeout: 10 * time.Second,
			MaxHeaderBytes:   64 << 10,
			ShutdownTimeout:  30 * time.Second,
		},
		Log:   Log{Level: slog.LevelInfo, Format: Text},
		Store: Store{MaxBytes: 200 << 30, Pinned: []string{}, Downloads: 90 * 24 * time.Hour},
		Cache: Cache{Verdicts: 100_000, Leaves: 256, Metadata: 30 * time.Second},
	}
}

// dataHome is the default of data_dir by the XDG base directory rules, which
// ignore a relative XDG_DATA_HOME.
func dataHome() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "modelwall"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(home) {
		return "", errors.New("the home folder is not an absolute path")
	}
	return filepath.Join(home, ".local", "share", "modelwall"), nil
}
