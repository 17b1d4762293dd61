package program

import (
	"strings"

	"modelwall/scan"
	"modelwall/scan/script/shell"
)

// network calls something that reaches over the network.
func (m *machine) network(name string, args []arg, off int64) *value {
	url := ""
	trust := shell.Strange
	for i, a := range args {
		if a.kw != "" && a.kw != "url" && a.kw != "host" {
			continue
		}
		if u := address(a.v); u != "" && (url == "" || strings.Contains(u, "://")) && i < 3 {
			url = u
		}
	}
	known := url != "" && !strings.HasPrefix(url, hole) && !strings.Contains(strings.SplitN(afterScheme(url), "/", 2)[0], hole)
	if known {
		trust = shell.Judge(url)
	}
	var t taint
	for _, a := range args {
		switch a.kw {
		case "headers", "auth", "cookies", "timeout", "verify", "stream", "proxies", "cert", "context", "token":
			continue
		}
		at, _ := a.v.all()
		if a.v.kind == ref && a.v.text == "os.environ" {
			at |= secret
		}
		t |= at
	}
	// A name alone is this machine's; data goes out as part of another one.
	a := first(args)
	spelled := a.kind == str || a.kind == seq || a.kind == union
	m.leaks(name, url, known, spelled, trust, t, off)
	if m.judging {
		where := ""
		if known {
			where = " to " + scan.Quote(url, 120)
		}
		m.report("network", scan.Low, scan.Info, "network", name+" opens a connection"+where, off)
	}
	m.saves(name, url, args)
	return &value{kind: inst, text: "response", taint: net | t&(secret|token), items: []*value{text(str, url)}}
}

func afterScheme(u string) string {
	if i := strings.Index(u, "://"); i >= 0 {
		return u[i+3:]
	}
	return u
}

// address finds the URL or host in an argument.
func address(v *value) string {
	switch v.kind {
	case str, bytesKind:
		if strings.Contains(v.text, ".") || strings.Contains(v.text, "://") || v.text == "localhost" {
			return v.text
		}
	case seq:
		if len(v.items) > 0 {
			return address(v.items[0])
		}
	case inst, union:
		for _, i := range v.items {
			if i != nil {
				if u := address(i); u != "" {
					return u
				}
			}
		}
	}
	return ""
}

// leaks judges what goes out.
func (m *machine) leaks(name, url string, known, spelled bool, trust shell.Trust, t taint, off int64) {
	const bad, odd, low = scan.SeverityMalicious, scan.SeveritySuspicious, scan.Low
	to := " over the network"
	if known {
		to = " to " + scan.Quote(url, 120)
	}
	strange := known && trust <= shell.Strange
	switch {
	case t&secret != 0 && (!known || trust < shell.Known):
		cold := odd
		if known && trust == shell.Shady {
			cold = bad
		}
		m.report("exfiltration", bad, cold, "exfiltration", "sends keys, tokens or the environment"+to, off)
	case t&token != 0 && strange:
		hot, cold := odd, low
		if trust == shell.Shady {
			hot = bad
		}
		m.report("exfiltration", hot, cold, "exfiltration", "sends a token from the environment"+to, off)
	case t&hostInfo != 0 && (strange || !known && spelled && (strings.Contains(name, "gethostbyname") || strings.HasPrefix(name, "dns."))):
		hot := odd
		if known && trust == shell.Shady {
			hot = bad
		}
		m.report("beacon", hot, low, "exfiltration", "tells who and where it is"+to, off)
	}
}

// saves notes the files that a download goes to.
func (m *machine) saves(name, url string, args []arg) {
	var path *value
	switch name {
	case "urllib.request.urlretrieve", "urllib.urlretrieve", "wget.download", "gdown.download", "torch.hub.download_url_to_file":
		path = positional(args, 1, "filename", "out", "output", "dst")
	}
	if path != nil {
		m.saved(path, url)
	}
}
