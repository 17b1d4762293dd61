package hub

import (
	"fmt"
	"net/netip"
	"strings"
)

// Role is the part that a host plays.
type Role uint8

// The roles. The zero value is a host that is refused.
const (
	// RoleUnknown is a host under one of the Hub's domains that is not known
	// to this package, or a name that is no host name at all. Names appear and
	// change there, so it is refused until somebody has looked at it.
	RoleUnknown Role = iota
	// RoleNotHub has nothing to do with the Hub.
	RoleNotHub
	// RoleHub serves the API, the resolve routes, git and the web pages.
	RoleHub
	// RoleCDN serves content to whoever holds a signed URL. A user's token
	// must not be sent there.
	RoleCDN
	// RoleXetCAS tells a Xet client which chunks make up a file.
	RoleXetCAS
	// RoleXetTransfer serves the chunks.
	RoleXetTransfer
	// RoleAuxiliary is datasets-server: JSON about datasets, and media cut out
	// of them.
	RoleAuxiliary
	// RoleInference runs models for the caller; what it answers is generated,
	// not a file of a repository.
	RoleInference
	// RoleApp is a program of some user (Spaces, Jobs), or a static site made
	// of a repository's files: it can hand out anything.
	RoleApp
	// RoleStorage is a second way to the same data (the S3 gateway to storage
	// buckets, fast.hf.co), which this package does not understand.
	RoleStorage
)

var roleNames = [...]string{
	"unknown", "not-hub", "hub", "cdn", "xet-cas", "xet-transfer", "auxiliary", "inference", "app", "storage",
}

// String returns a short name for logs and metrics.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// RoleOf returns the role of a host name. Case, a trailing dot and a port are
// ignored. A string that can not be a host name (letters outside ASCII,
// escapes, spaces, the empty string) is RoleUnknown, since another program
// could normalise it to a name of the Hub.
func RoleOf(host string) Role {
	name, ok := hostName(host)
	if !ok {
		return RoleUnknown
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return RoleNotHub
	}
	if strings.Contains(name, ":") {
		return RoleUnknown
	}
	switch {
	case under(name, "hf.space"), under(name, "hf.jobs"):
		return RoleApp
	case under(name, "huggingface.cloud"):
		if strings.HasSuffix(name, ".endpoints.huggingface.cloud") {
			return RoleInference
		}
		return RoleUnknown
	}
	for _, domain := range [...]string{"huggingface.co", "hf.co"} {
		if name == domain {
			return RoleHub
		}
		if sub, ok := strings.CutSuffix(name, "."+domain); ok {
			return roleOfSub(sub, domain)
		}
	}
	return RoleNotHub
}

// roleOfSub returns the role of sub under one of the two domains of the Hub.
func roleOfSub(sub, domain string) Role {
	switch sub {
	case "www", "hub-ci": // hub-ci is the staging Hub
		return RoleHub
	case "datasets-server":
		return RoleAuxiliary
	case "router", "api-inference", "endpoints", "api.endpoints", "ui.endpoints":
		return RoleInference
	case "s3", "fast":
		return RoleStorage
	}
	labels := strings.Split(sub, ".")
	first, last := labels[0], labels[len(labels)-1]
	if len(labels) == 2 && (last == "xethub" || strings.HasPrefix(last, "xethub-")) && domain == "hf.co" {
		switch {
		case strings.HasPrefix(first, "cas-bridge"):
			return RoleCDN
		case strings.HasPrefix(first, "cas-server"):
			return RoleXetCAS
		case strings.HasPrefix(first, "transfer"):
			return RoleXetTransfer
		}
		return RoleUnknown
	}
	// cdn-lfs.…, cdn-lfs-us-1.…, cdn-lfs.us-1.…, cdn-uploads.…, us.aws.cdn.…
	if last == "cdn" || strings.HasPrefix(first, "cdn-") {
		return RoleCDN
	}
	return RoleUnknown
}

// under reports whether name is domain or below it.
func under(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// hostName normalises a host as it stands in a Host header or in a URL.
func hostName(host string) (string, bool) {
	port := ""
	if v6, rest, ok := strings.Cut(host, "]"); ok && v6 != "" && v6[0] == '[' {
		host, port = v6[1:], strings.TrimPrefix(rest, ":")
	} else if strings.Count(host, ":") == 1 {
		host, port, _ = strings.Cut(host, ":")
	}
	if strings.Trim(port, "0123456789") != "" {
		return "", false
	}
	host = strings.ToLower(strings.TrimRight(host, "."))
	if host == "" {
		return "", false
	}
	for i := 0; i < len(host); i++ {
		c := host[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':':
		default:
			return "", false
		}
	}
	if strings.Contains(host, "..") || host[0] == '.' {
		return "", false
	}
	return host, true
}
