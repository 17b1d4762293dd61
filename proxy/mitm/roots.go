package mitm

import (
	"slices"
	"strings"
)

// rootPlaces says where a system keeps its roots as PEM: files in order of
// preference, and folders that are read besides. They are the places of
// crypto/x509 on goos. As there, SSL_CERT_FILE and SSL_CERT_DIR replace the
// defaults, but not when they name what own reports to be ours.
func rootPlaces(goos string, getenv func(string) string, own func(path string) bool) (files, dirs []string) {
	switch goos {
	case "linux", "android":
		files = []string{
			"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Gentoo, Arch, NixOS
			"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL 6
			"/etc/ssl/ca-bundle.pem",                            // openSUSE
			"/etc/pki/tls/cacert.pem",                           // OpenELEC
			"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL 7 and later
			"/etc/ssl/cert.pem",                                 // Alpine
		}
		dirs = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}
		if goos == "android" {
			dirs = append(dirs, "/system/etc/security/cacerts", "/data/misc/keychain/certs-added")
		}
	case "freebsd", "dragonfly", "netbsd", "openbsd":
		files = []string{
			"/usr/local/etc/ssl/cert.pem",            // FreeBSD's package
			"/etc/ssl/cert.pem",                      // OpenBSD, FreeBSD
			"/usr/local/share/certs/ca-root-nss.crt", // DragonFly
			"/etc/openssl/certs/ca-certificates.crt", // NetBSD
		}
		dirs = []string{"/etc/ssl/certs", "/usr/local/share/certs", "/etc/openssl/certs"}
	case "solaris", "illumos":
		files = []string{"/etc/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cacert.pem"}
		dirs = []string{"/etc/certs/CA"}
	case "darwin":
		files = []string{"/etc/ssl/cert.pem"}
	}
	if f := getenv("SSL_CERT_FILE"); f != "" && !own(f) {
		files = []string{f}
	}
	if d := getenv("SSL_CERT_DIR"); d != "" {
		sep := ":"
		if goos == "windows" {
			sep = ";"
		}
		if named := slices.DeleteFunc(strings.Split(d, sep), own); len(named) > 0 {
			dirs = named
		}
	}
	return files, dirs
}
