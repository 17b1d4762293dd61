package shell

import (
	"net/netip"
	"net/url"
	"strings"
)

// Trust is what is known of the place a URL leads to.
type Trust uint8

// The degrees of trust, lowest first.
const (
	// Shady: an address instead of a name, a tunnel, a paste or a place where
	// files are left anonymously, a connection anyone on the way can change.
	Shady Trust = iota
	// Strange: any host.
	Strange
	// Open: anyone may publish there under a name of their own.
	Open
	// Known: the place an installer or a package is usually taken from.
	Known
	// Local: this machine.
	Local
)

// Judge tells what is known of a URL, or of a host alone.
func Judge(raw string) Trust {
	s := strings.TrimSpace(raw)
	if i := strings.Index(s, "://"); i < 0 {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		if strings.Contains(s, "$") {
			return Strange
		}
		return Shady
	}
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return Local
	}
	if a, err := netip.ParseAddr(name); err == nil {
		if a.IsLoopback() || a.IsUnspecified() {
			return Local
		}
		return Shady
	}
	if name == "" || isDigits(strings.ReplaceAll(name, ".", "")) || strings.HasPrefix(name, "0x") || strings.Contains(u.Host, "@") {
		return Shady // other spellings of an address
	}
	for _, h := range shadyHosts() {
		if name == h || strings.HasSuffix(name, "."+h) {
			return Shady
		}
	}
	for _, h := range knownHosts() {
		if name == h || strings.HasPrefix(h, ".") && strings.HasSuffix(name, h) {
			return Known
		}
	}
	path := strings.ToLower(u.Path)
	for _, h := range knownPlaces() {
		if strings.HasPrefix(name+path, h) {
			return Known
		}
	}
	for _, h := range openHosts() {
		if name == h || h[0] == '.' && strings.HasSuffix(name, h) {
			return Open
		}
	}
	if u.Scheme != "https" && u.Scheme != "git" && u.Scheme != "ssh" && u.Scheme != "git+https" && u.Scheme != "git+ssh" {
		return Shady
	}
	return Strange
}

func shadyHosts() []string {
	return []string{
		"ngrok.io", "ngrok.app", "ngrok-free.app", "ngrok.dev", "trycloudflare.com", "serveo.net", "localtunnel.me", "loca.lt", "pagekite.me",
		"pastebin.com", "paste.ee", "hastebin.com", "ghostbin.com", "rentry.co", "rentry.org", "controlc.com", "dpaste.org", "dpaste.com", "ix.io", "sprunge.us", "termbin.com", "paste.rs", "pastes.dev", "0bin.net", "privatebin.net",
		"transfer.sh", "file.io", "anonfiles.com", "0x0.st", "catbox.moe", "gofile.io", "temp.sh", "bashupload.com", "oshi.at", "keep.sh", "filebin.net", "ufile.io", "tmpfiles.org", "litterbox.catbox.moe",
		"webhook.site", "requestbin.net", "requestbin.com", "pipedream.net", "requestcatcher.com", "beeceptor.com", "interact.sh", "oast.fun", "oast.pro", "oast.live", "oast.site", "oast.online", "oast.me", "burpcollaborator.net", "oastify.com", "dnslog.cn", "ceye.io", "canarytokens.com", "hookbin.com", "postb.in",
		"discord.com", "discordapp.com", "cdn.discordapp.com", "api.telegram.org", "t.me",
		"bit.ly", "tinyurl.com", "is.gd", "goo.gl", "t.co", "cutt.ly", "shorturl.at", "rb.gy", "tiny.cc", "v.gd",
		"duckdns.org", "no-ip.org", "no-ip.com", "ddns.net", "hopto.org", "zapto.org", "dynu.net", "dyndns.org", "sytes.net", "myftp.org",
		"onion", "onion.to", "onion.ws", "tor2web.org", "repl.co", "glitch.me", "000webhostapp.com",
	}
}

// knownHosts are where installers, packages and models come from by their
// makers' own instructions. A leading dot stands for all below.
func knownHosts() []string {
	return []string{
		"pypi.org", "pypi.python.org", "files.pythonhosted.org", "test.pypi.org", "bootstrap.pypa.io", "www.python.org", "install.python-poetry.org", "pdm-project.org", "pdm.fming.dev",
		"huggingface.co", "hf.co", ".huggingface.co", ".hf.co", ".huggingface.tech", "hf-mirror.com", "modelscope.cn", "www.modelscope.cn", "api-inference.huggingface.co", "router.huggingface.co",
		"download.pytorch.org", "pytorch.org", "data.pyg.org", "download.openmmlab.com", "pypi.nvidia.com", "pypi.ngc.nvidia.com", "developer.download.nvidia.com", "developer.nvidia.com", "nvidia.github.io", ".ngc.nvidia.com", "api.ngc.nvidia.com",
		"repo.anaconda.com", "conda.anaconda.org", "pypi.anaconda.org", "anaconda.org", "micro.mamba.pm", "repo.continuum.io", "pixi.sh",
		"sh.rustup.rs", "static.rust-lang.org", "astral.sh", "get.docker.com", "download.docker.com", "get.k3s.io", "get.helm.sh", "ollama.com", "ollama.ai", "deb.nodesource.com", "rpm.nodesource.com", "get.pnpm.io", "bun.sh", "deno.land", "fnm.vercel.app", "install.duckdb.org",
		"packagecloud.io", "packages.cloud.google.com", "sdk.cloud.google.com", "dl.google.com", "storage.googleapis.com", "us-python.pkg.dev", "aka.ms", "packages.microsoft.com", ".pkgs.visualstudio.com", "pkgs.dev.azure.com", "awscli.amazonaws.com", "pip.repos.neuron.amazonaws.com", "apt.repos.neuron.amazonaws.com",
		"apt.llvm.org", "apt.kitware.com", "rclone.org", "get.sdkman.io", "nixos.org", "install.determinate.systems", "get.volta.sh", "dl.yarnpkg.com", "registry.npmjs.org", "registry.yarnpkg.com", "chocolatey.org", "community.chocolatey.org", "get.scoop.sh", "get.rvm.io", "rvm.io", "cli.github.com", "taskfile.dev", "just.systems", "install.python-poetry.org", "foundry.paradigm.xyz", "get.modular.com", "dl.modular.com",
		"pypi.tuna.tsinghua.edu.cn", "mirrors.tuna.tsinghua.edu.cn", "mirrors.aliyun.com", "pypi.douban.com", "pypi.doubanio.com", "mirror.baidu.com", "mirrors.cloud.tencent.com", "mirrors.ustc.edu.cn", "pypi.mirrors.ustc.edu.cn", "repo.huaweicloud.com", "mirrors.huaweicloud.com", "mirror.sjtu.edu.cn", "mirrors.bfsu.edu.cn", "mirrors.pku.edu.cn", "mirrors.zju.edu.cn", "pypi.hustunique.com", "mirrors.163.com", "mirrors.sustech.edu.cn", "pypi.sdutlinux.org", "mirrors.nju.edu.cn", "ghproxy.com", "mirror.ghproxy.com",
		"flashinfer.ai", "wheels.vllm.ai", "docs.vllm.ai", "download.lightning.ai", "repo.radeon.com", "repo.oneapi.com", "pytorch-extension.intel.com", "developer.intel.com", "apt.repos.intel.com", "software.intel.com", "www.paddlepaddle.org.cn", "paddle-wheel.bj.bcebos.com", "paddlepaddle.org.cn", "wheels.myhloli.com", "pypi.jetson-ai-lab.dev", "pypi.jetson-ai-lab.io", "download.blender.org", "extension.intel.com",
		"ftp.gnu.org", "www.sqlite.org", "deb.debian.org", "archive.ubuntu.com", "security.ubuntu.com", "dl-cdn.alpinelinux.org", "dl.fedoraproject.org", "mirrors.edge.kernel.org", "archive.apache.org", "downloads.apache.org", "repo1.maven.org", "repo.maven.apache.org", "boostorg.jfrog.io", "www.openssl.org", "zlib.net", "ftp.openssl.org",
		"zenodo.org", "dl.fbaipublicfiles.com", "scontent.xx.fbcdn.net", "images.cocodataset.org", "openaipublic.azureedge.net", "openaipublic.blob.core.windows.net", "ml.cs.tsinghua.edu.cn", "drive.google.com", "docs.google.com", "www.kaggle.com", "kaggle.com", "s3.amazonaws.com", "www.dropbox.com", "openslr.org", "www.openslr.org", "data.statmt.org", "nlp.stanford.edu", "api.wandb.ai",
		"api.openai.com", "api.anthropic.com", "api.cohere.ai", "api.mistral.ai", "generativelanguage.googleapis.com", "api.deepseek.com", "api.replicate.com", "api.github.com", "www.googleapis.com", "oauth2.googleapis.com", "login.microsoftonline.com", "graph.microsoft.com", "accounts.google.com", "metadata.google.internal",
		"releases.astral.sh", "unsloth.ai", "opencode.ai", "tljh.jupyter.org", "install.goreleaser.com", "install.meteor.com", "raw.githack.com", "yt-dl.org", "binaries.soliditylang.org", "scripts.sil.org", "releases.hashicorp.com", "apt.releases.hashicorp.com", "cdn.playwright.dev", "get.pulumi.com", "uploader.codecov.io", "codecov.io", "keybase.io", "coveralls.io", "get.jetify.com", "get.jetpack.io", "devenv.sh", "triton-ascend.osinfra.cn", "wheels.galaxyproject.org", "gpgpu.gitlab.io", "golangci-lint.run", "getcomposer.org", "phar.phpunit.de", "mise.run", "mise.jdx.dev", "starship.rs", "get.starship.rs", "ohmyz.sh", "install.ohmyz.sh", "setup.atuin.sh", "zoxide.org", "cli.runpod.net", "fly.io", "cli.doppler.com", "runtimes.lambda.com",
	}
}

// knownPlaces are paths of hosts that are open otherwise.
func knownPlaces() []string {
	return []string{
		"raw.githubusercontent.com/homebrew/", "raw.githubusercontent.com/nvm-sh/", "raw.githubusercontent.com/creationix/nvm/", "raw.githubusercontent.com/ohmyzsh/", "raw.githubusercontent.com/robbyrussell/", "raw.githubusercontent.com/pyenv/",
		"raw.githubusercontent.com/huggingface/", "raw.githubusercontent.com/pytorch/", "raw.githubusercontent.com/tensorflow/", "raw.githubusercontent.com/nvidia/", "raw.githubusercontent.com/microsoft/", "raw.githubusercontent.com/google/", "raw.githubusercontent.com/facebookresearch/", "raw.githubusercontent.com/mamba-org/", "raw.githubusercontent.com/conda-forge/", "raw.githubusercontent.com/python-poetry/", "raw.githubusercontent.com/sdispater/", "raw.githubusercontent.com/helm/", "raw.githubusercontent.com/docker/", "raw.githubusercontent.com/ollama/", "raw.githubusercontent.com/ggml-org/", "raw.githubusercontent.com/ggerganov/", "raw.githubusercontent.com/git-lfs/", "raw.githubusercontent.com/golangci/", "raw.githubusercontent.com/github/",
		"github.com/conda-forge/miniforge/", "github.com/git-lfs/", "github.com/huggingface/",
	}
}

// Store reports hosts where anyone keeps files under a name of their own: the
// object stores of the clouds. What lies there is nobody's word for a script,
// and a usual place for a package.
func Store(raw string) bool {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return false
	}
	name := strings.ToLower(u.Hostname())
	for _, h := range [...]string{".aliyuncs.com", ".amazonaws.com", ".myqcloud.com", ".blob.core.windows.net", ".bcebos.com", ".r2.dev", ".digitaloceanspaces.com", ".backblazeb2.com", ".volces.com", ".obs.myhuaweicloud.com"} {
		if strings.HasSuffix(name, h) {
			return true
		}
	}
	return false
}

func openHosts() []string {
	return []string{
		"github.com", "raw.githubusercontent.com", "codeload.github.com", "objects.githubusercontent.com", "gitlab.com", "bitbucket.org", "gitee.com", "codeberg.org",
		"sourceforge.net", "downloads.sourceforge.net", "git.sr.ht", "salsa.debian.org", "cdn.jsdelivr.net", "unpkg.com", "gitcode.com", "raw.gitcode.com", "sf.net", "launchpad.net", "git.launchpad.net", "opendev.org", "git.kernel.org", "gitlab.freedesktop.org", "gitlab.gnome.org", "gitlab.kitware.com", ".github.io", ".gitlab.io", ".readthedocs.io",
	}
}
