package refs

import (
	"path"
	"strings"
)

// Escapes reports a path that climbs out of where it starts.
func Escapes(v string) bool {
	v = strings.ReplaceAll(v, "\\", "/")
	return v == ".." || strings.HasPrefix(v, "../") || strings.Contains(v, "/../") || strings.HasSuffix(v, "/..")
}

// Rooted reports an absolute path of any system.
func Rooted(v string) bool {
	return strings.HasPrefix(v, "/") || strings.HasPrefix(v, "\\") || strings.HasPrefix(v, "~") ||
		len(v) > 2 && v[1] == ':' && (v[2] == '\\' || v[2] == '/')
}

// Secret reports files that no model has a reason to name.
func Secret(v string) bool {
	p := path.Clean(strings.ReplaceAll(strings.TrimPrefix(v, "file://"), "\\", "/"))
	for strings.HasPrefix(p, "../") {
		p = p[len("../"):]
	}
	p = "/" + strings.TrimPrefix(strings.TrimPrefix(p, "~"), "/")
	for _, s := range []string{"/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc/sudoers", "/proc/self/", "/proc/1/", "/root/.ssh/", "/.ssh/", "/.aws/", "/.netrc", "/.git-credentials", "/.kube/config", "/.docker/config.json", "/.cache/huggingface/token", "/.huggingface/token", "/var/run/secrets/", "/run/secrets/"} {
		if strings.HasPrefix(p, s) || strings.HasPrefix(s, "/.") && strings.Contains(p, s) {
			return true
		}
	}
	return false
}

// isLibrary reports the name of a native library.
func isLibrary(v string) bool {
	for _, s := range [...]string{".so", ".dll", ".dylib"} {
		if len(v) > len(s) && len(v) < 4096 && strings.EqualFold(v[len(v)-len(s):], s) && !strings.ContainsAny(v, " \n") {
			return true
		}
	}
	return false
}

// OpensFile reports keys whose value a loader opens.
func OpensFile(key string) bool {
	return strings.HasSuffix(key, "_file") || strings.HasSuffix(key, "_path") || strings.HasSuffix(key, "_filename") ||
		key == "file" || key == "path" || key == "filename"
}
