package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// finish checks what the values mean, completes paths and collects warnings.
func (l *loader) finish() {
	l.listeners()
	l.paths()
	l.hosts()
	l.mirror()
	l.policy()
	l.limits()
	l.config.Warnings = warnings(l.config)
}

// listeners checks the two addresses. A proxy that anybody can reach sends
// anybody's traffic in this machine's name and holds what its users fetched,
// so an address that is not loopback takes a second, explicit key.
func (l *loader) listeners() {
	c := l.config
	check := func(name, address string) {
		host, port, err := net.SplitHostPort(address)
		switch {
		case err != nil || !validPort(port, 0):
			l.report(name, "%q: expected host:port with a number as port, such as 127.0.0.1:8080", address)
		case !isLoopback(host) && !c.AllowRemoteClients:
			l.report(name, "%q can be reached from other machines: "+
				"use 127.0.0.1 or, if that is meant, set allow_remote_clients: true", address)
		}
	}
	check("listen", c.Listen)
	if c.Admin.Listen == "" {
		return
	}
	check("admin.listen", c.Admin.Listen)
	if _, port, _ := net.SplitHostPort(c.Listen); c.Admin.Listen == c.Listen && port != "0" {
		l.report("admin.listen", "%q: listen has this address already", c.Admin.Listen)
	}
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// paths makes paths absolute; "~/" is the home folder, "" of data_dir the
// default.
func (l *loader) paths() {
	absolute := func(name string, p *string) {
		if rest, ok := strings.CutPrefix(*p, "~/"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				l.report(name, "%q: %v", *p, err)
				return
			}
			*p = filepath.Join(home, rest)
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			l.report(name, "%q: %v", *p, err)
			return
		}
		*p = abs
	}
	c := l.config
	if c.DataDir == "" {
		dir, err := dataHome()
		if err != nil {
			l.report("data_dir", "no folder given and none to be derived (%v): set data_dir or MODELWALL_DATA_DIR", err)
		}
		c.DataDir = dir
	} else {
		absolute("data_dir", &c.DataDir)
	}
	if c.Upstream.CAFile != "" {
		absolute("upstream.ca_file", &c.Upstream.CAFile)
	}
}

func (l *loader) hosts() {
	c := l.config
	if len(c.Intercept) == 0 {
		l.report("intercept", "an empty list would let every download through unseen")
	}
	for _, host := range c.Intercept {
		if reason := hostReason(host); reason != "" {
			l.report("intercept", "%q %s", host, reason)
		}
	}
	if !slices.Contains([]OtherHosts{Tunnel, Deny}, c.OtherHosts) {
		l.report("other_hosts", "%q: expected one of tunnel, deny", c.OtherHosts)
	}
	if !slices.Contains([]Offline{Never, Unreachable, Always}, c.Mirror.Offline) {
		l.report("mirror.offline", "%q: expected one of false, auto, true", c.Mirror.Offline)
	}
	if m := c.Cache.Metadata; m < 0 || m > time.Hour {
		l.report("cache.metadata", "%v: expected 0s to 1h", m)
	}
	if !slices.Contains([]XetMode{XetFacade, XetStrip, XetDeny}, c.Xet) {
		l.report("xet", "%q: expected one of facade, strip, deny", c.Xet)
	}
	if len(c.Ports) == 0 {
		l.report("ports", "an empty list would refuse every request")
	}
	for _, port := range c.Ports {
		if port < 1 || port > 65535 {
			l.report("ports", "%d is not a port (1 to 65535)", port)
		}
	}
}

// hostReason says why host can't be an interception suffix, "" if it can.
func hostReason(host string) string {
	switch {
	case host == "" || len(host) > 253:
		return "is not a host name"
	case strings.HasPrefix(host, "*."), strings.HasPrefix(host, "."):
		return "is a pattern: write the name alone, it stands for all hosts below it too"
	case host != strings.ToLower(host):
		return "is not in lower case"
	case !strings.Contains(host, "."):
		return "is a single label: it would stand for a whole top-level domain"
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return "is an address: the CA can only be constrained to names"
	}
	for label := range strings.SplitSeq(host, ".") {
		valid := label != "" && len(label) <= 63 && !strings.HasPrefix(label, "-") && !strings.HasSuffix(label, "-")
		if !valid || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "is not a host name (no scheme, port or path; international names in their xn-- form)"
		}
	}
	return ""
}

func (l *loader) mirror() {
	m := &l.config.Mirror
	if m.URL == "" {
		return
	}
	u, err := url.Parse(m.URL)
	plain := err == nil && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
	if !plain || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		l.report("mirror.url", "%q: expected http(s)://host, with a port and a path if need be", m.URL)
		return
	}
	m.URL = strings.TrimRight(m.URL, "/")
}

func (l *loader) policy() {
	p := l.config.Policy
	actions := []struct {
		name   string
		action Action
	}{
		{"policy.malicious", p.Malicious},
		{"policy.suspicious", p.Suspicious},
		{"policy.undetermined", p.Undetermined},
		{"policy.clean", p.Clean},
	}
	for _, a := range actions {
		if !slices.Contains([]Action{Allow, Warn, Quarantine, Block}, a.action) {
			l.report(a.name, "%q: expected one of allow, warn, quarantine, block", a.action)
		}
	}
	patterns := func(name string, list []string) {
		for _, pattern := range list {
			if reason := patternReason(pattern); reason != "" {
				l.report(name, "%q %s", pattern, reason)
			}
		}
	}
	patterns("policy.allow_repos", p.AllowRepos)
	patterns("policy.deny_repos", p.DenyRepos)
	patterns("store.pinned", l.config.Store.Pinned)
}

// patternReason says why a pattern can never match a repository, "" if it can.
func patternReason(pattern string) string {
	if strings.Contains(pattern, "**") {
		return `holds "**": a * matches within one part of a name, write org/* or datasets/org/*`
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return "is not a pattern: " + err.Error()
	}
	if strings.Contains(pattern, "://") || strings.ContainsAny(pattern, " \t") {
		return "is not a pattern over org/name or datasets/org/name"
	}
	parts := strings.Split(pattern, "/")
	if slices.Contains(parts, "") || len(parts) > 3 {
		return "is not a pattern over org/name or datasets/org/name"
	}
	kinds := []string{"datasets", "spaces", "kernels", "buckets"}
	if len(parts) == 3 && !strings.ContainsAny(parts[0], `*?[\`) && !slices.Contains(kinds, parts[0]) {
		return "has three parts, so the first has to be one of " + strings.Join(kinds, ", ")
	}
	return ""
}

func (l *loader) limits() {
	c := l.config
	if c.Gate.Hold <= 0 || c.Gate.Hold > MaxHold {
		l.report("gate.hold", "%v: expected more than 0s and at most %v, "+
			"because the Hub's clients give up when no response header comes within 10s", c.Gate.Hold, MaxHold)
	}
	positive := func(name string, d time.Duration) {
		if d <= 0 {
			l.report(name, "%v: expected more than 0s", d)
		}
	}
	positive("upstream.connect_timeout", c.Upstream.ConnectTimeout)
	positive("upstream.response_header_timeout", c.Upstream.ResponseHeaderTimeout)
	positive("upstream.stall_timeout", c.Upstream.StallTimeout)
	positive("scan.timeout", c.Scan.Timeout)
	positive("server.header_timeout", c.Server.HeaderTimeout)
	positive("server.idle_timeout", c.Server.IdleTimeout)
	positive("server.handshake_timeout", c.Server.HandshakeTimeout)
	positive("server.shutdown_timeout", c.Server.ShutdownTimeout)

	between := func(name string, n, low, high int) {
		if n < low || n > high {
			l.report(name, "%d: expected %d to %d", n, low, high)
		}
	}
	between("upstream.retries", c.Upstream.Retries, 0, 100)
	between("scan.max_depth", c.Scan.MaxDepth, 1, 64)
	between("scan.max_members", c.Scan.MaxMembers, 1, 100_000_000)
	between("scan.max_ratio", c.Scan.MaxRatio, 1, 1_000_000)
	between("cache.verdicts", c.Cache.Verdicts, 1, 100_000_000)
	between("cache.leaves", c.Cache.Leaves, 1, 1_000_000)

	sizes := func(name string, s, low, high Size) {
		if s < low || s > high {
			l.report(name, "%v: expected %v to %v", s, low, high)
		}
	}
	sizes("scan.max_bytes", c.Scan.MaxBytes, 1<<20, 1<<50)
	if c.Store.MaxBytes != 0 {
		sizes("store.max_bytes", c.Store.MaxBytes, 1<<20, 1<<60)
	}
	if c.Store.Downloads < 0 {
		l.report("store.downloads", "%v: expected 0s or more", c.Store.Downloads)
	}
	sizes("server.max_header_bytes", c.Server.MaxHeaderBytes, 4<<10, 1<<20)

	if c.Log.Format != Text && c.Log.Format != JSON {
		l.report("log.format", "%q: expected one of text, json", c.Log.Format)
	}
}

// warnings lists what is allowed and weakens the protection.
func warnings(c *Config) []string {
	var list []string
	warn := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	passes := func(a Action) bool { return a == Allow || a == Warn }
	p := c.Policy
	if p.Monitor {
		warn("policy.monitor: true: nothing is blocked, only recorded")
	}
	if passes(p.Malicious) {
		warn("policy.malicious: %s: malicious files reach the clients", p.Malicious)
	}
	if passes(p.Suspicious) {
		warn("policy.suspicious: %s: suspicious files reach the clients", p.Suspicious)
	}
	if passes(p.Undetermined) {
		warn("policy.undetermined: %s: files that could not be examined reach the clients; "+
			"a file damaged on purpose is one of them", p.Undetermined)
	}
	if c.AllowRemoteClients {
		warn("allow_remote_clients: true: whoever reaches %s can use this proxy", c.Listen)
	}
	return list
}
