// Package clue reads strings that stand in models: is it a path that leaves
// the model's folder, a place where secrets lie, a command line, Python code,
// or another serialized object? Frameworks that describe a model as a graph of
// operations execute nothing by themselves; harm comes through the strings
// they hand to operations and that tools around them evaluate.
package clue

import (
	"strings"
)

// Path is where a path leads, seen from the model's folder.
type Path uint8

const (
	// Inside is a relative path below the folder.
	Inside Path = iota
	// Roundabout has ".." and stays inside, if no link leads elsewhere.
	Roundabout
	// Absolute is from the root, a drive, a share or a home folder.
	Absolute
	// Escapes is relative and leads out of the folder.
	Escapes
	// Remote is a URL.
	Remote
	// Broken has control characters; what opens it may see less than it says.
	Broken
)

// WhichPath classifies p. Backslashes count as separators, as some loaders
// take them on every system.
func WhichPath(p string) Path {
	for i := range len(p) {
		if p[i] < ' ' {
			return Broken
		}
	}
	p = strings.ReplaceAll(p, `\`, "/")
	if scheme, _, ok := strings.Cut(p, "://"); ok && isScheme(scheme) {
		if strings.EqualFold(scheme, "file") {
			return Absolute
		}
		return Remote
	}
	if strings.HasPrefix(p, "/") || strings.HasPrefix(p, "~") || len(p) > 1 && p[1] == ':' && isLetter(p[0]) {
		return Absolute
	}
	depth, dots := 0, false
	for part := range strings.SplitSeq(p, "/") {
		switch strings.TrimRight(part, " ") {
		case "", ".":
		case "..":
			dots = true
			if depth--; depth < 0 {
				return Escapes
			}
		default:
			depth++
		}
	}
	if dots {
		return Roundabout
	}
	return Inside
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isScheme(s string) bool {
	if s == "" || len(s) > 16 || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// Sensitive reports whether p names something of the system or of a user that
// no model has a reason to touch. Paths where people keep their data, such as
// /root, /tmp, /home/x and /dev/shm, are not among them: training leaves those
// in honest graphs.
func Sensitive(p string) bool {
	p = strings.ToLower(strings.ReplaceAll(p, `\`, "/"))
	if scheme, rest, ok := strings.Cut(p, "://"); ok && scheme == "file" {
		p = rest
	}
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	p = strings.ReplaceAll(p, "/./", "/")
	rooted := p
	for { // ../../etc/passwd leads to /etc/passwd from any folder
		rest, ok := strings.CutPrefix(rooted, "../")
		if !ok {
			break
		}
		rooted = rest
	}
	if rooted != p {
		rooted = "/" + rooted
	} else if i := strings.LastIndex(p, "/../"); i >= 0 {
		rooted = p[i+len("/.."):]
	}
	for _, dir := range []string{
		"/etc/", "/proc/", "/sys/", "/boot/", "/var/spool/cron", "/var/run/secrets/", "/run/secrets/",
		"/dev/sd", "/dev/mem", "/dev/tcp/", "/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/",
	} {
		if strings.HasPrefix(rooted, dir) {
			return true
		}
	}
	if len(p) > 2 && p[1] == ':' && strings.HasPrefix(p[2:], "/windows/") {
		return true
	}
	for _, part := range []string{
		"/.ssh/", "/.aws/", "/.gnupg/", "/.kube/", "/.docker/config", "/.netrc", "/.pgpass", "/.bashrc", "/.bash_",
		"/.profile", "/.zshrc", "/.git-credentials", "/.huggingface/token", "/huggingface/token", "/.config/gcloud",
		"/.config/autostart", "/.pypirc", "/.npmrc", "/.env", "/id_rsa", "/id_ed25519", "/authorized_keys",
	} {
		if strings.Contains("/"+strings.TrimPrefix(p, "~"), part) {
			return true
		}
	}
	return false
}

// Library reports whether p names a shared library.
func Library(p string) bool {
	p = strings.ToLower(p)
	if i := strings.LastIndex(p, ".so."); i > 0 {
		return true
	}
	for _, ext := range []string{".so", ".dll", ".dylib", ".pyd"} {
		if strings.HasSuffix(p, ext) {
			return true
		}
	}
	return false
}
