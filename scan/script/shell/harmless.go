package shell

import "strings"

// harmless reports commands that look, build or fetch what development needs,
// and whose arguments can not turn them into something else.
func harmless(s *step) bool {
	switch s.name {
	case "cd", "pwd", "mkdir", "true", "false", ":", "sleep", "wait", "exit", "return", "break", "continue", "shift", "trap", "set", "unset", "export", "declare", "local", "readonly", "typeset", "alias", "shopt", "ulimit", "umask", "getopts", "read", "test", "[", "[[", "let", "expr", "for", "case", "select", "pushd", "popd", "dirs", "hash", "type", "which", "where", "whereis", "unalias", "printenv", "mapfile", "readarray",
		"clear", "cls", "color", "title", "chcp", "mode", "stty", "tput", "reset", "tabs", "setterm", "resize", "pause",
		"date", "basename", "dirname", "realpath", "readlink", "seq", "bc", "du", "df", "free", "nproc", "lscpu", "lspci", "lsmod", "lsblk", "uname", "arch", "getconf", "sw_vers", "sysctl", "system_profiler", "lsb_release", "ldconfig", "ldd", "nm", "objdump", "readelf", "otool", "file", "stat", "wc", "sort", "uniq", "head", "tail", "cut", "grep", "egrep", "fgrep", "diff", "cmp", "md5sum", "sha256sum", "shasum", "md5", "top", "htop", "ps", "tree", "getent", "tty", "locale", "logname", "groups", "numactl", "taskset", "vmstat", "iostat", "uptime", "hostnamectl", "timedatectl", "ver", "dxdiag",
		"nvidia-smi", "rocm-smi", "rocminfo", "rocm_agent_enumerator", "hipconfig", "xpu-smi", "npu-smi", "nvidia-settings", "nvidia-detector", "vulkaninfo", "clinfo", "hl-smi", "neuron-ls", "amd-smi", "mthreads-gmi", "ixsmi",
		"make", "gmake", "nmake", "cmake", "ctest", "ninja", "meson", "nvcc", "hipcc", "gcc", "g++", "cc", "c++", "clang", "clang++", "gfortran", "icc", "icpx", "cl", "ld", "ar", "as", "ranlib", "strip", "libtool", "autoconf", "automake", "autoreconf", "aclocal", "pkg-config", "pkgconf", "llvm-config", "swig", "protoc", "flatc", "cython", "bison", "flex", "javac", "rustc", "xcrun", "xcodebuild", "xcode-select", "lipo", "install_name_tool", "codesign", "msbuild", "vswhere", "bazel", "bazelisk", "configure", "patch", "ccache", "sccache", "link", "lib", "rc", "windres", "makensis", "pyuic5", "pyrcc5", "lrelease", "lupdate", "msgfmt", "xgettext", "pybabel", "gettext", "intltool-update", "a2x", "asciidoc", "help2man", "gtk-update-icon-cache", "update-desktop-database", "glib-compile-schemas", "update-mime-database", "glib-compile-resources",
		"fc-list", "fc-match", "fc-cache", "luatex", "kpsewhich", "oslevel", "psrinfo", "chtag", "gpg", "gpgv", "prtconf", "lsdev", "swapinfo", "sysconf", "scutil", "defaults", "ioreg", "dscl", "networksetup", "wslpath", "cygpath", "uuidgen", "dmidecode", "hwinfo", "inxi", "lshw", "numfmt", "getfacl", "locale-gen", "update-locale", "run-parts",
		"sphinx-build", "sphinx-apidoc", "doxygen", "dot", "pdflatex", "latex", "xelatex", "bibtex", "dvipng", "dvisvgm", "pdftocairo", "pandoc", "gs", "convert", "magick", "inkscape", "rsvg-convert", "ffmpeg", "ffprobe", "ffplay", "sox", "soxi", "lame", "mpg123", "mpv", "aplay", "afplay", "espeak", "espeak-ng", "gnuplot", "exiftool", "identify", "tesseract", "qpdf", "xvfb", "xset", "xrandr", "xdpyinfo", "xdg-open", "jupyter", "jupytext", "tensorboard", "mermaid", "mmdc",
		"pytest", "tox", "nox", "pylint", "flake8", "black", "isort", "ruff", "mypy", "pyright", "coverage", "pre-commit", "yapf", "autopep8", "clang-format", "clang-tidy", "shellcheck", "twine", "hatch", "flit", "bumpversion", "codespell", "bandit", "pydocstyle", "pyflakes", "pep8", "pycodestyle", "nosetests", "py.test", "cibuildwheel", "auditwheel", "delocate-wheel", "towncrier",
		"torchrun", "accelerate", "deepspeed", "horovodrun", "mpirun", "mpiexec", "srun", "sbatch", "squeue", "sinfo", "scontrol", "scancel", "sacct", "qsub", "qstat", "module", "ray", "vllm", "lm_eval", "llamafactory-cli", "axolotl", "swift", "torch-model-archiver", "torchserve", "tritonserver", "trtexec", "nsys", "ncu", "wandb", "mlflow", "dvc", "fairseq-train", "fairseq-preprocess", "fairseq-generate", "fairseq-interactive", "optimum-cli", "text-generation-launcher", "trl", "bentoml", "ollama", "llama-server", "spm_train", "spm_encode", "fasttext", "gsutil", "gcloud", "kaggle", "huggingface-cli", "hf", "modelscope",
		"git", "hg", "svn", "bzr", "git-lfs", "cvs", "gh",
		"tar", "unzip", "unrar", "zip", "gzip", "gunzip", "bzip2", "bunzip2", "xz", "unxz", "7z", "7za", "zstd", "cp", "ln", "tee", "install", "xcopy", "copy", "robocopy", "ditto", "hdiutil", "dpkg-deb", "fakeroot",
		"npm", "yarn", "pnpm", "npx", "node-gyp", "cargo", "go", "mvn", "gradle", "conda", "mamba", "micromamba", "brew", "port", "apt", "apt-get", "apt-cache", "dpkg", "dpkg-query", "dpkg-buildflags", "dpkg-architecture", "dpkg-parsechangelog", "yum", "dnf", "rpm", "apk", "pacman", "zypper", "snap", "flatpak", "gem", "bundle", "nix-build", "nix", "nix-shell", "virtualenv", "venv", "pyenv", "poetry", "pdm", "rye", "pipenv", "rustup", "add-apt-repository", "update-alternatives", "debconf-set-selections", "setx", "xbuild", "dotnet", "nuget",
		"docker", "podman", "kubectl", "helm", "docker-compose", "minikube", "systemctl", "service", "kill", "pkill", "killall", "taskkill", "tasklist", "lsof", "fuser", "ss", "netstat", "jobs", "fg", "bg", "disown", "screen", "tmux", "modprobe", "ps2pdf", "mount", "umount", "losetup", "useradd", "groupadd", "usermod", "adduser", "addgroup", "gpasswd", "activate", "deactivate", "firefox", "google-chrome", "chromium", "explorer", "notepad", "code":
		return !execOption(s)
	case "chmod":
		return true
	case "cat", "ls", "dir", "hostname", "java_home", "java", "wmic", "powershell", "pwsh":
		return looks(s)
	case "pip", "pip3", "pip2", "uv", "pipx", "easy_install":
		return harmlessPip(s)
	case "python", "python3", "python2":
		return pythonScript(s)
	case "sed", "awk", "gawk", "mv", "rm", "find", "xargs", "jq":
		return !execOption(s)
	}
	if rest, ok := strings.CutPrefix(s.name, "pip3."); ok && isDigits(rest) {
		return harmlessPip(s)
	}
	if isPython(s.name) {
		return pythonScript(s)
	}
	if asksVersion(s) {
		return true
	}
	// A compiler for another machine, a versioned one.
	for _, t := range [...]string{"-gcc", "-g++", "-ld", "-ar", "-strip", "-objdump", "-objcopy", "-nm", "-pkg-config"} {
		if strings.HasSuffix(s.name, t) {
			return true
		}
	}
	for _, p := range [...]string{"gcc-", "g++-", "clang-", "llvm-", "clang++-"} {
		if strings.HasPrefix(s.name, p) {
			return true
		}
	}
	return false
}

// asksVersion reports a program of the path that is asked for its version.
func asksVersion(s *step) bool {
	if len(s.args) != 1 || strings.ContainsAny(s.path, `/\\`) || s.flows.kind != nothing {
		return false
	}
	switch s.args[0].text {
	case "--version", "-version", "-V", "--help", "-dumpversion", "-dumpmachine":
		return true
	}
	return false
}

// looks reports commands that look at the machine, as programs do to choose
// their settings. Who the user is and what files he has is not among it.
func looks(s *step) bool {
	switch s.name {
	case "hostname":
		return len(s.args) == 1 && len(s.args[0].text) == 2 && s.args[0].text[0] == '-'
	case "java_home":
		return true
	case "java":
		return !anyOf(s.words(), "://", "-cp ", "-classpath ")
	case "wmic":
		return anyOf(strings.ToLower(s.words()), " get ") && !anyOf(strings.ToLower(s.words()), "call", "/node")
	case "powershell", "pwsh":
		all := strings.ToLower(s.words())
		return anyOf(all, "get-ciminstance", "get-wmiobject", "get-computerinfo", "[environment]::", "$psversiontable") && !anyOf(all, ";", "|", "&", "invoke", "iex", "://", "`")
	}
	paths := 0
	for _, a := range s.args {
		if strings.HasPrefix(a.text, "-") {
			continue
		}
		paths++
		if !systemPath(a.text) {
			return false
		}
	}
	return paths > 0
}

// systemPath reports files and folders that describe the machine.
func systemPath(p string) bool {
	if strings.Contains(p, "..") || strings.Contains(p, "environ") {
		return false
	}
	for _, s := range [...]string{"/proc/cpuinfo", "/proc/meminfo", "/proc/version", "/proc/driver/", "/proc/loadavg", "/sys/", "/etc/os-release", "/etc/lsb-release", "/etc/issue", "/etc/redhat-release", "/etc/debian_version", "/usr/", "/opt/", "/lib", "/dev/nvidia", "/dev/dri", "/dev/kfd"} {
		if strings.HasPrefix(p, s) {
			return true
		}
	}
	return false
}

// execOption reports options by which a harmless program runs another one.
func execOption(s *step) bool {
	if s.flows.kind == network || s.flows.kind == decoded || s.flows.kind == secret {
		return true
	}
	all := strings.ToLower(s.words())
	switch s.name {
	case "git":
		return anyOf(all, "ext::", "core.sshcommand", "core.fsmonitor", "core.hookspath", "--upload-pack", "core.pager=", "alias.", "credential.helper=!", "protocol.ext")
	case "tar":
		return anyOf(all, "--checkpoint-action", "--to-command", "--use-compress-program", "-i ")
	case "find":
		return anyOf(all, "-exec", "-ok", "-delete", "-fprint")
	case "awk", "gawk":
		return anyOf(all, "system(", "|&", "| getline", "/inet/")
	case "sed":
		return false
	case "make", "gmake", "cmake", "ninja":
		return false
	case "docker", "podman":
		return anyOf(all, "-v /:", "--privileged", "docker.sock", "--pid=host", "--volume /:", "--volume=/:")
	case "npx", "npm", "yarn", "pnpm":
		return anyOf(all, " exec ", "http:", "--registry")
	case "set", "export", "declare":
		return false
	case "gs":
		return anyOf(all, "-dnosafer")
	case "explorer", "xdg-open", "code":
		return strings.Contains(all, "file:")
	}
	return false
}

// harmlessPip reports an installation from the usual places.
func harmlessPip(s *step) bool {
	for i, a := range s.args {
		t := a.text
		if i > 0 {
			switch s.args[i-1].text {
			case "-i", "--index-url", "--extra-index-url", "-f", "--find-links":
				if Judge(t) < Open && !strings.HasPrefix(t, ".") && !strings.HasPrefix(t, "/") {
					return false
				}
				continue
			}
		}
		if k, v, ok := strings.Cut(t, "="); ok && (k == "--index-url" || k == "--extra-index-url" || k == "--find-links") {
			t = v
		}
		if at := strings.Index(t, "://"); at >= 0 {
			if k := strings.LastIndexAny(t[:at], " @="); k >= 0 {
				t = t[k+1:]
			}
			if Judge(strings.TrimPrefix(strings.TrimPrefix(t, "git+"), "hg+")) < Open {
				return false
			}
		}
	}
	return true
}

// pythonScript reports a run of a file or a module: what it does is that
// file's to answer for.
func pythonScript(s *step) bool {
	for i, a := range s.args {
		if a.text == "-c" {
			return false
		}
		if a.text == "-m" && i+1 < len(s.args) {
			if m := s.args[i+1].text; m == "pip" {
				t := step{name: "pip", args: s.args[i+2:]}
				return harmlessPip(&t)
			}
			return true
		}
	}
	return true
}
