package zip

import "strings"

// rawStorages names the members of d that are plain tensor storages of a
// PyTorch archive: stored, called <root>/data/<key>, next to <root>/data.pkl.
// torch.load maps their bytes into tensors and interprets none of them. They
// are handed over all the same, after everything else, so that what can
// execute is judged first; only their checksums are not verified.
func rawStorages(d *directory) map[string]bool {
	roots := map[string]bool{}
	for i := range d.entries {
		if root, ok := strings.CutSuffix(d.entries[i].name, "/data.pkl"); ok {
			roots[root] = true
		}
	}
	raw := map[string]bool{}
	for i := range d.entries {
		e := &d.entries[i]
		root, key, ok := cutLast(e.name, "/data/")
		if ok && roots[root] && key != "" && !strings.Contains(key, "/") && e.method == methodStore {
			raw[e.name] = true
		}
	}
	return raw
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
