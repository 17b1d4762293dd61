package main

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"modelwall/config"
)

// route is what a client has to be told to go through a proxy.
type route struct {
	proxy  string // URL
	ca     string // PEM file with our CA alone, for programs that add to their trust store
	bundle string // PEM file with the public roots and our CA, for programs that replace it
}

// kind is where the value of a variable comes from.
type kind int

const (
	proxyURL kind = iota
	caFile
	bundleFile
	noProxy
	literal
)

// variable is one environment variable that some client reads.
type variable struct {
	name    string
	kind    kind
	literal string
	readers string // who reads it, and why it is set
}

// variables is the one table of what `run` sets and `env` prints.
//
// There is no SSL_CERT_DIR in it: where both are read it adds to
// SSL_CERT_FILE (OpenSSL, Go, rustls) or comes second (httpx), so whatever a
// user has there does no harm.
func variables() []variable {
	return []variable{
		{"HTTPS_PROXY", proxyURL, "", "nearly every client, for https:// URLs"},
		{"https_proxy", proxyURL, "", "the same; curl, wget and Python look at the lower-case name first"},
		{"HTTP_PROXY", proxyURL, "", "the same for http:// URLs, so that a redirect to one does not get around the proxy"},
		{"http_proxy", proxyURL, "", "the same; curl reads this name in lower case only"},
		{"ALL_PROXY", proxyURL, "", "curl and httpx, for every scheme without a variable of its own"},
		{"all_proxy", proxyURL, "", "the same in lower case"},
		{"NO_PROXY", noProxy, "", "hosts to reach directly: what was there already, and this machine"},
		{"no_proxy", noProxy, "", "the same in lower case"},
		{"SSL_CERT_FILE", bundleFile, "", "httpx (huggingface_hub 1.x), OpenSSL, Go, rustls, uv: replaces the trust store"},
		{"REQUESTS_CA_BUNDLE", bundleFile, "", "requests (huggingface_hub 0.x), conda: replaces the trust store"},
		{"CURL_CA_BUNDLE", bundleFile, "", "curl: replaces the trust store"},
		{"PIP_CERT", bundleFile, "", "pip: replaces the trust store"},
		{"GIT_SSL_CAINFO", bundleFile, "", "git and git-lfs: replaces the trust store"},
		{"AWS_CA_BUNDLE", bundleFile, "", "AWS command line and boto3: replaces the trust store"},
		{"CARGO_HTTP_CAINFO", bundleFile, "", "Cargo: replaces the trust store"},
		{"CARGO_HTTP_PROXY", proxyURL, "", "Cargo, which ranks git's own proxy setting above HTTPS_PROXY"},
		{"NODE_EXTRA_CA_CERTS", caFile, "", "Node.js, npm: adds to the trust store"},
		{"NODE_USE_ENV_PROXY", literal, "1", "Node.js 24 and later: makes fetch read HTTPS_PROXY"},
		{"DENO_CERT", caFile, "", "Deno: adds to the trust store"},
		{"HF_HUB_DISABLE_XET", literal, "1", "huggingface_hub: plain HTTPS instead of Xet, whose chunks can't be inspected on their way"},
	}
}

// value returns the variable's value for a route. The environment given as
// lookup holds what the user has set so far.
func (v variable) value(r route, lookup func(string) string) string {
	switch v.kind {
	case proxyURL:
		return r.proxy
	case caFile:
		return r.ca
	case bundleFile:
		return r.bundle
	case noProxy:
		return direct(lookup)
	default:
		return v.literal
	}
}

// direct returns the value of NO_PROXY: both spellings of it joined, because
// programs differ in which one they prefer, and then this machine.
func direct(lookup func(string) string) string {
	var hosts []string
	all := lookup("NO_PROXY") + "," + lookup("no_proxy") + ",localhost,127.0.0.1,::1"
	for host := range strings.SplitSeq(all, ",") {
		if host = strings.TrimSpace(host); host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return strings.Join(hosts, ",")
}

// bypasses says what in the user's environment makes clients go around the
// firewall although they are told to use it, one line each.
func bypasses(lookup func(string) string, intercept []string) []string {
	var list []string
	hosts := strings.Split(direct(lookup), ",")
	for _, host := range hosts {
		for _, suffix := range intercept {
			if exempts(host, suffix) {
				list = append(list, fmt.Sprintf("NO_PROXY has %s: downloads from there are not inspected", printable(strconv.Quote(host))))
				break
			}
		}
	}
	if endpoint := lookup("HF_ENDPOINT"); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || !slices.ContainsFunc(intercept, func(suffix string) bool { return within(u.Hostname(), suffix) }) {
			list = append(list, "HF_ENDPOINT names a host that is not in intercept: downloads from there are not inspected")
		}
	}
	return list
}

// exempts reports whether an entry of NO_PROXY covers suffix, a host below it,
// or a domain above it. Clients read entries differently: the widest reading
// counts.
func exempts(entry, suffix string) bool {
	entry = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(entry, "*"), "."))
	if host, _, err := net.SplitHostPort(entry); err == nil {
		entry = host
	}
	return entry == "" || within(entry, suffix) || within(suffix, entry)
}

// within reports whether host is suffix or below it.
func within(host, suffix string) bool {
	host = strings.ToLower(host)
	return host == suffix || strings.HasSuffix(host, "."+suffix)
}

// served returns the route to the proxy that `serve` runs with cfg.
func served(cfg *config.Config) (string, error) {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", fmt.Errorf("listen is %s: the port is chosen anew at each start, so there is no address to print", cfg.Listen)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
