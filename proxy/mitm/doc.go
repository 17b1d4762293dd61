// Package mitm is the machine's own certificate authority: it makes the CA,
// signs a short-lived certificate for each host that is intercepted, and
// writes the trust bundle that clients are pointed at.
//
// # What a TLS-intercepting CA can do, and what keeps this one small
//
// Whoever holds the key of a trusted CA can impersonate every server to
// everyone who trusts it. So the key never ships with the program and never
// leaves the machine: it is made at first use, kept in a file of mode 0600 in
// a folder of mode 0700, and refused when others can read it. And the
// certificate itself says how little it is good for (RFC 5280):
//
//   - nameConstraints, critical (4.2.1.10): DNS names only inside the
//     intercepted suffixes, no IP address at all. A client rejects a leaf for
//     any other name, even one signed with a stolen key.
//   - extendedKeyUsage serverAuth: no client, e-mail or code-signing
//     certificates.
//   - basicConstraints, critical, CA with pathLen 0: no further CA below it.
//   - keyUsage, critical: keyCertSign and cRLSign.
//   - subjectKeyIdentifier and authorityKeyIdentifier, which strict
//     verification asks for (Python 3.13 sets VERIFY_X509_STRICT).
//
// TLS libraries that do not know name constraints must refuse the CA because
// the extension is critical; Mbed TLS is the one that is met in practice.
//
// # Leaves
//
// A leaf names exactly one host, that of the CONNECT request, whatever the
// ClientHello's server name says: the name inside the tunnel can not choose the
// identity. Each leaf has a key of its own. Making a P-256 key costs about as
// much as the signature, far below a millisecond together, and so no key lives longer
// than its certificate. Leaves live in memory only: a bounded LRU, one minting
// per host at a time, renewed a day before they end.
//
// # The trust bundle
//
// Python (SSL_CERT_FILE, REQUESTS_CA_BUNDLE), git (GIT_SSL_CAINFO), curl
// (CURL_CA_BUNDLE) and others take one file that replaces their trust store.
// Given the CA alone, they would fail on each host that is tunnelled instead
// of intercepted. So bundle.pem holds the system's roots, the configured extra
// roots, and the CA. Programs that add to their store (NODE_EXTRA_CA_CERTS)
// take ca.pem.
//
// The system's roots are read from where crypto/x509 reads them on Linux and
// the BSDs: SSL_CERT_FILE and SSL_CERT_DIR of our own environment, else the
// distribution's places. On macOS the trust store is the keychain, not a file:
// what is used is /etc/ssl/cert.pem, Apple's list for OpenSSL programs, which
// lacks the roots that an administrator added to the keychain. On Windows
// there is no such file at all: the bundle holds the extra roots and the CA
// only, unless SSL_CERT_FILE names one; [CA.BundleRoots] is then 0. On both,
// give the missing roots as [Options.ExtraRoots].
package mitm
