package shell

import (
	"strings"

	"modelwall/scan"
)

// mischief judges what commands do by themselves, without a pipe.
func (j *judge) mischief(s *step) {
	for _, a := range s.args {
		t := strings.ToLower(a.text)
		switch {
		case strings.Contains(t, "stratum+tcp://") || strings.Contains(t, "stratum+ssl://") || strings.Contains(t, "stratum+tls://"):
			j.fact("miner", scan.SeverityMalicious, "code-execution", "mines for somebody else")
		case strings.Contains(t, "/inet/tcp/") && strings.HasSuffix(s.name, "awk"):
			j.fact("reverse_shell", scan.SeverityMalicious, "network", "awk wires commands to the network")
		}
	}
	switch s.name {
	case "rm", "shred", "rmdir", "del", "srm":
		recursive := s.flag("-r", "-R", "--recursive", "--no-preserve-root") || s.name == "shred"
		for _, a := range s.args {
			if recursive && everything(a.text) {
				j.fact("destroys", scan.SeverityMalicious, "destruction", "deletes "+scan.Quote(a.text, 80))
			}
		}
		if s.flag("--no-preserve-root") {
			j.fact("destroys", scan.SeverityMalicious, "destruction", "deletes down to the root")
		}
	case "dd":
		for _, a := range s.args {
			if of, ok := strings.CutPrefix(a.text, "of="); ok && isDisk(of) {
				j.fact("destroys", scan.SeverityMalicious, "destruction", "overwrites the disk "+scan.Quote(of, 80))
			}
		}
	case "wipefs":
		j.fact("destroys", scan.SeveritySuspicious, "destruction", "wipes a file system")
	case "chmod", "chown":
		if s.flag("-R") {
			for _, a := range s.args {
				if a.text == "/" || a.text == "/*" {
					j.fact("destroys", scan.SeverityMalicious, "destruction", "changes the permissions of everything")
				}
			}
		}
		if s.name == "chmod" {
			for _, a := range s.args {
				if strings.HasPrefix(a.text, "u+s") || a.text == "4755" || a.text == "4777" {
					j.fact("persistence", scan.SeveritySuspicious, "persistence", "makes a program run as its owner, whoever starts it")
				}
			}
		}
	case "crontab":
		if !s.flag("-l", "-r") && len(s.args) > 0 {
			j.fact("persistence", scan.SeveritySuspicious, "persistence", "changes what runs by the clock")
		}
	case "xmrig", "minerd", "cpuminer", "ethminer", "cgminer", "t-rex", "nbminer", "lolminer", "phoenixminer", "xmr-stak":
		j.fact("miner", scan.SeverityMalicious, "code-execution", "mines for somebody else")
	case "insmod":
		j.fact("kernel", scan.SeveritySuspicious, "code-execution", "loads code into the kernel")
	case "scp", "rsync", "sftp":
		for _, a := range s.args[:max(0, len(s.args)-1)] {
			if secretPath(a.text) && strings.Contains(s.args[len(s.args)-1].text, ":") {
				j.fact("exfiltration", scan.SeverityMalicious, "exfiltration", "copies "+scan.Quote(a.text, 80)+" to another machine")
			}
		}
	case "nslookup", "dig", "host", "ping":
		if s.flows.kind == host || s.flows.kind == secret {
			j.fact("beacon", scan.SeveritySuspicious, "exfiltration", "tells a name server who and where it is, with "+s.name)
		}
	}
}

// everything reports paths whose deletion destroys what is not the script's.
func everything(p string) bool {
	if p == "/" || p == "/*" || p == "/." {
		return true
	}
	switch strings.TrimSuffix(strings.TrimSuffix(p, "*"), "/") {
	case "~", "$HOME", "$USERPROFILE", "/home", "/root", "/etc", "/usr", "/var", "/bin", "/sbin", "/lib", "/boot", "/opt", "/Users", "/sys", "/proc", "/dev":
		return true
	}
	return false
}
