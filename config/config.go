// Package config reads Modelwall's configuration: documented defaults, then
// the file proxy.yaml, then MODELWALL_… environment variables, then flags of
// the command, each overriding what comes before it.
//
// A configuration that is read loosely is a hole in a firewall: a misspelt
// "policy.malicous" that falls back to its default, or a truncated file that
// still parses, changes what is blocked without a word. So the decode is
// strict. An unknown key, a duplicate key, a value of another type, a value
// that makes no sense and an unknown MODELWALL_ variable are all errors; each
// names the key, the value, the reason and the place, and all of them are
// reported at once.
//
// The result is one validated snapshot that nobody changes afterwards. Watch
// produces the next snapshot when the file changes.
//
// The package is a leaf: it imports nothing else of Modelwall. The command
// translates it into each package's own options.
package config

import (
	"log/slog"
	"time"
)

// Config is one validated configuration. Treat it as immutable: it is shared
// between goroutines without a lock.
//
// The tag reload says whether Watch may put a changed key into effect ("live")
// or whether the process has to start again for it ("restart").
type Config struct {
	// Listen is the TCP address of proxy and mirror, "host:port".
	Listen string `mapstructure:"listen" reload:"restart"`
	// AllowRemoteClients permits Listen and Admin.Listen on addresses that
	// other machines can reach.
	AllowRemoteClients bool  `mapstructure:"allow_remote_clients" reload:"restart"`
	Admin              Admin `mapstructure:"admin"`
	// DataDir is the absolute path of the folder for CA, blobs and records.
	DataDir  string   `mapstructure:"data_dir" reload:"restart"`
	Upstream Upstream `mapstructure:"upstream"`
	// Intercept lists host names; each stands for itself and for every host
	// below it. Lower case, never empty.
	Intercept []string `mapstructure:"intercept" reload:"restart"`
	// OtherHosts is what happens to hosts that are not intercepted.
	OtherHosts OtherHosts `mapstructure:"other_hosts" reload:"live"`
	// Ports lists the destination ports that clients may ask for.
	Ports  []int  `mapstructure:"ports" reload:"restart"`
	Mirror Mirror `mapstructure:"mirror"`
	// Xet is what becomes of the Hub's chunk storage protocol.
	Xet    XetMode `mapstructure:"xet" reload:"restart"`
	Gate   Gate    `mapstructure:"gate"`
	Policy Policy  `mapstructure:"policy"`
	Scan   Scan    `mapstructure:"scan"`
	Server Server  `mapstructure:"server"`
	Log    Log     `mapstructure:"log"`
	Store  Store   `mapstructure:"store"`
	Cache  Cache   `mapstructure:"cache"`

	// Warnings are settings that are allowed and weaken the protection, one
	// line each, for the log at start and after a reload.
	Warnings []string `mapstructure:"-"`

	origin origin
}

// origin is how a Config came about, so that Watch can do it again.
type origin struct {
	path     string
	settings []Setting
}

// Setting overrides a key from a flag of the command; the text is read as the
// value of an environment variable is.
type Setting struct {
	Key   string // "log.level"
	Value string
	From  string // for error messages: "--log-level"
}

// Admin is the health, metrics and console listener.
type Admin struct {
	Listen string `mapstructure:"listen" reload:"restart"` // "host:port", "" = off
}

// Upstream is how the Hub is reached.
type Upstream struct {
	// Proxy is a parent proxy; the zero value means a direct connection.
	Proxy ProxyURL `mapstructure:"proxy" reload:"restart"`
	// CAFile is a PEM file of roots trusted besides the system's, "" = none.
	CAFile                string        `mapstructure:"ca_file" reload:"restart"`
	ConnectTimeout        time.Duration `mapstructure:"connect_timeout" reload:"restart"`
	ResponseHeaderTimeout time.Duration `mapstructure:"response_header_timeout" reload:"restart"`
	// StallTimeout is how long a body may send nothing before it is resumed.
	StallTimeout time.Duration `mapstructure:"stall_timeout" reload:"restart"`
	// Retries is how often a transfer is resumed without progress.
	Retries int `mapstructure:"retries" reload:"restart"`
}

// Mirror is how clients with HF_ENDPOINT meet us, on the address of Listen, and
// what all clients get while there is no Hub.
type Mirror struct {
	// URL is the address that clients use, without a slash at its end; "" is
	// the one that each request names.
	URL string `mapstructure:"url" reload:"restart"`
	// Offline is when the Hub's recorded answers are used in its place.
	Offline Offline `mapstructure:"offline" reload:"live"`
}

// Gate is what a client sees while the verdict is open.
type Gate struct {
	// Hold is how long a response is held back for its verdict, at most
	// MaxHold.
	Hold time.Duration `mapstructure:"hold" reload:"live"`
}

// MaxHold is the longest Gate.Hold. The Hub's Python client gives up 10 s
// after its GET if no response header has come, without a retry.
const MaxHold = 9 * time.Second

// Policy is what becomes of a file, by its verdict.
type Policy struct {
	Malicious    Action `mapstructure:"malicious" reload:"live"`
	Suspicious   Action `mapstructure:"suspicious" reload:"live"`
	Undetermined Action `mapstructure:"undetermined" reload:"live"`
	Clean        Action `mapstructure:"clean" reload:"live"`
	// AllowRepos, when not empty, lists the only repositories to download
	// from; DenyRepos are refused and win. Patterns of path.Match over
	// "org/name", "datasets/org/name" and the like.
	AllowRepos []string `mapstructure:"allow_repos" reload:"live"`
	DenyRepos  []string `mapstructure:"deny_repos" reload:"live"`
	// Monitor lets everything through and records what would be blocked.
	Monitor bool `mapstructure:"monitor" reload:"live"`
}

// Scan bounds the inspection of one file with everything inside it. The
// limits are part of a verdict's key, hence no live reload.
type Scan struct {
	Timeout    time.Duration `mapstructure:"timeout" reload:"restart"`
	MaxDepth   int           `mapstructure:"max_depth" reload:"restart"`   // levels of nesting
	MaxMembers int           `mapstructure:"max_members" reload:"restart"` // over all levels
	MaxBytes   Size          `mapstructure:"max_bytes" reload:"restart"`   // decoded
	MaxRatio   int           `mapstructure:"max_ratio" reload:"restart"`   // decoded per packed byte
}

// Server bounds what a client may take from the listeners.
type Server struct {
	HeaderTimeout    time.Duration `mapstructure:"header_timeout" reload:"restart"`
	IdleTimeout      time.Duration `mapstructure:"idle_timeout" reload:"restart"`
	HandshakeTimeout time.Duration `mapstructure:"handshake_timeout" reload:"restart"`
	MaxHeaderBytes   Size          `mapstructure:"max_header_bytes" reload:"restart"`
	ShutdownTimeout  time.Duration `mapstructure:"shutdown_timeout" reload:"restart"`
}

// Log is the program's own log, on stderr.
type Log struct {
	Level  slog.Level `mapstructure:"level" reload:"live"`
	Format LogFormat  `mapstructure:"format" reload:"restart"`
}

// Store bounds what is kept in DataDir.
type Store struct {
	// MaxBytes of clean files; the longest unused leave first. 0 = no bound.
	MaxBytes Size `mapstructure:"max_bytes" reload:"live"`
	// Pinned are repositories whose files never leave because of MaxBytes, by
	// the globs of Policy.
	Pinned []string `mapstructure:"pinned" reload:"live"`
	// Downloads is how long the record of a download is kept, 0 = for ever.
	Downloads time.Duration `mapstructure:"downloads" reload:"live"`
}

// Cache bounds what is kept in memory.
type Cache struct {
	Verdicts int `mapstructure:"verdicts" reload:"restart"`
	Leaves   int `mapstructure:"leaves" reload:"restart"` // leaf certificates
	// Metadata is how long what the Hub said about files is good, for the
	// caller that it said it to; 0 asks it every time.
	Metadata time.Duration `mapstructure:"metadata" reload:"live"`
}

// Path is the file that the configuration was read from, "" for none.
func (c *Config) Path() string { return c.origin.path }

// Source says where the configuration comes from, for people: the path of its
// file, or "defaults".
func (c *Config) Source() string {
	if c.origin.path == "" {
		return "defaults"
	}
	return c.origin.path
}
