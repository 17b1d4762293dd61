package shell

import "strings"

// kind says what sort of data flows from one command into the next.
type kind uint8

const (
	nothing kind = iota
	known        // constant text
	host         // who and where: whoami, hostname
	network      // came over the network
	decoded      // was encoded or compressed
	secret       // keys, tokens, password files, the whole environment
)

// flow is the data on a pipe or in a substitution.
type flow struct {
	kind kind
	text string // when it is constant
	url  string // where it came from over the network
}

// worse merges two flows into one.
func worse(a, b flow) flow {
	if b.kind > a.kind {
		a, b = b, a
	}
	if a.url == "" {
		a.url = b.url
	}
	return a
}

// secretPath reports files that hold keys, tokens or passwords.
func secretPath(path string) bool {
	path = strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(path, "@"), `\`, "/"))
	if strings.HasSuffix(path, ".pub") || strings.HasSuffix(path, "known_hosts") {
		return false
	}
	for _, s := range [...]string{
		"/.ssh/id_", "/.ssh/identity", "/.aws/credentials", "/.aws/config", "/.netrc", "/.git-credentials", "/.pgpass",
		"/.docker/config.json", "/.kube/config", "/.config/gcloud", "/.azure/", "/.huggingface/token",
		"/huggingface/token", "/.pypirc", "/.npmrc", "/etc/shadow", "/etc/passwd", "/.bash_history", "/.zsh_history",
		"/.gnupg/", "/.mozilla/firefox", "/google-chrome/", "/google/chrome/", "/login data", "/cookies.sqlite", "/.config/gh/hosts",
		"/.bitcoin/", "/.ethereum/", "/.electrum/", "wallet.dat", "/metamask", "/var/run/secrets/", "/proc/self/environ", "/proc/1/environ",
		"/.cargo/credentials", "/.vault-token", "/.terraform.d/credentials", "/keychains/", "/microsoft/protect",
	} {
		if strings.Contains(path, s) {
			return true
		}
	}
	switch strings.TrimSuffix(path, "/") {
	case "~/.ssh", "$home/.ssh", "/root/.ssh", "~/.aws", "$home/.aws", "~/.gnupg", "$home/.gnupg", "~/.kube", "$home/.kube":
		return true
	}
	return strings.HasSuffix(path, "/.ssh/*") || strings.HasSuffix(path, "/.aws/*")
}

// secretVariable reports names of environment variables that hold tokens.
func secretVariable(name string) bool {
	name = strings.ToUpper(name)
	for _, s := range [...]string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL", "ACCESS_KEY"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

// SecretPath and SecretVariable are for readers of other languages.
func SecretPath(path string) bool { return secretPath(path) }

// SecretVariable reports names of environment variables that hold tokens.
func SecretVariable(name string) bool { return secretVariable(name) }
