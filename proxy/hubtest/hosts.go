package hubtest

import (
	"net"
	"strings"
)

// Role is what a host does for the Hub.
type Role string

// The roles of hosts.
const (
	RoleHub      Role = "hub"      // API, redirects, git: the only hosts that may see a token of the Hub
	RoleCDN      Role = "cdn"      // file content behind signed links
	RoleCAS      Role = "cas"      // Xet: says which chunks make up a file; takes Xet tokens
	RoleTransfer Role = "transfer" // Xet: the chunks, behind signed links
	RoleOther    Role = "other"    // neither
)

const (
	hubHost      = "huggingface.co"
	shortHost    = "hf.co"
	casHost      = "cas-server.xethub.hf.co"
	transferHost = "transfer.xethub.hf.co"
	s3Host       = "cas-bridge.xethub.hf.co" // presigned like S3, refuses Authorization
	defaultCDN   = "us.aws.cdn.hf.co"
)

func hubHosts() map[string]Role {
	return map[string]Role{
		hubHost: RoleHub, "www.huggingface.co": RoleHub, shortHost: RoleHub,

		defaultCDN: RoleCDN, "us.gcp.cdn.hf.co": RoleCDN, s3Host: RoleCDN,
		"cdn-lfs.huggingface.co": RoleCDN, "cdn-lfs-us-1.huggingface.co": RoleCDN,
		"cdn-lfs.hf.co": RoleCDN, "cdn-lfs-us-1.hf.co": RoleCDN, "cdn-lfs-eu-1.hf.co": RoleCDN,

		casHost: RoleCAS, "cas-server.xethub-eu.hf.co": RoleCAS,
		transferHost: RoleTransfer, "transfer.xethub-eu.hf.co": RoleTransfer,

		"datasets-server.huggingface.co": RoleOther, "s3.hf.co": RoleOther, "router.huggingface.co": RoleOther,
	}
}

// hostname strips the port and lowers the case of a Host header.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = host
	}
	return strings.ToLower(hostport)
}
