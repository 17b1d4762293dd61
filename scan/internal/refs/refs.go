// Package refs judges single values of configurations: the names of code,
// files and repositories that a loader acts on, whatever the syntax they were
// read from.
package refs

import (
	"fmt"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/pyname"
)

// The techniques of findings about configurations.
const (
	TechExecution = "code-execution"
	TechTraversal = "path-traversal"
	TechCustom    = "custom-code"
	TechNetwork   = "network"
	TechFile      = "file-access"
	TechObfuscate = "obfuscation"
)

// Judge judges values and reports what it finds.
type Judge struct {
	Names *pyname.Judge
	// Report takes a finding; rule lacks the name of the format.
	Report func(rule string, sev scan.Severity, technique string, off int64, message string)
}

// Call judges a name that a loader imports and calls.
func (j Judge) Call(rule, what, name string, off int64) {
	v := j.Names.Call(name)
	message := fmt.Sprintf("%s names %s, which %s", what, scan.Quote(name, 100), v.Why)
	switch v.Level {
	case pyname.Dangerous:
		j.Report(rule, scan.SeverityMalicious, TechExecution, off, message)
	case pyname.Risky:
		j.Report(rule, scan.SeveritySuspicious, TechExecution, off, message)
	case pyname.Custom:
		j.Report(rule, scan.Low, TechCustom, off, message)
	case pyname.Harmless:
	}
}

// Reference judges "[org/repo--]module.Class".
func (j Judge) Reference(key, v string, off int64) {
	repo, class, remote := strings.Cut(v, "--")
	if !remote {
		repo, class = "", v
	}
	switch {
	case Escapes(v):
		j.Report("code_path", scan.SeverityMalicious, TechTraversal, off, key+" leads out of the repository: "+scan.Quote(v, 200))
	case strings.Contains(v, "://") || remote && Rooted(repo) || Rooted(class):
		j.Report("code_path", scan.SeveritySuspicious, TechTraversal, off, key+" is no module of a repository: "+scan.Quote(v, 200))
	case remote:
		j.Report("remote_code", scan.Low, TechCustom, off,
			fmt.Sprintf("%s: with trust_remote_code, %s runs from another repository, %s", key, scan.Quote(class, 100), scan.Quote(repo, 100)))
	case v != "":
		j.Report("custom_code", scan.Low, TechCustom, off,
			fmt.Sprintf("%s: with trust_remote_code, %s of the repository runs", key, scan.Quote(v, 100)))
	}
}

// Kernel judges the name of an attention implementation: one with a slash is
// a repository of kernels, fetched and run (CVE-2026-4372).
func (j Judge) Kernel(key, v string, off int64) {
	name := v[strings.LastIndexByte(v, '|')+1:]
	if !strings.Contains(name, "/") {
		return
	}
	if strings.HasPrefix(name, "kernels-community/") && !Escapes(name) {
		j.Report("kernel", scan.Low, TechCustom, off, key+" fetches the kernel "+scan.Quote(v, 100))
		return
	}
	j.Report("kernel", scan.SeverityMalicious, TechExecution, off,
		key+" has transformers fetch and run code of "+scan.Quote(v, 100)+" without trust_remote_code")
}

// Weight judges the name of a file of weights in an index.
func (j Judge) Weight(v string, off int64) {
	switch {
	case strings.Contains(v, "://"):
		j.Report("path", scan.SeveritySuspicious, TechNetwork, off, "weights are loaded from "+scan.Quote(v, 200))
	case Escapes(v) || Rooted(v):
		j.Report("path", scan.SeverityMalicious, TechTraversal, off, "weights are loaded from outside of the model: "+scan.Quote(v, 200))
	}
}

// Trusts judges a file that asks for custom code to be run; nested says that
// it does so for a model or data set which loaders fetch by themselves.
func (j Judge) Trusts(nested bool, off int64) {
	if nested {
		j.Report("trust_remote_code", scan.SeveritySuspicious, TechCustom, off,
			"trust_remote_code is set for a nested model or data set, where loaders have taken it over the user's refusal")
		return
	}
	j.Report("trust_remote_code", scan.Low, TechCustom, off, "trust_remote_code is set: a loader that passes it on runs code of a repository")
}

// Nested reports keys of models and data sets for which loaders have taken
// trust_remote_code from the file (CVE-2026-5241 and others).
func Nested(key string) bool {
	return key == "keypoint_detector_config" || key == "hf_data_cfg" || key == "encoder"
}

// Attention reports keys that name an implementation of attention or experts.
func Attention(key string) bool {
	switch key {
	case "attn_implementation", "_attn_implementation", "_attn_implementation_internal",
		"experts_implementation", "_experts_implementation", "_experts_implementation_internal":
		return true
	}
	return false
}

// BundleKey reports keys that MONAI's configurations have.
func BundleKey(key string) bool {
	switch key {
	case "_target_", "_meta_", "_requires_", "_disabled_", "_desc_", "_mode_", "imports", "bundle_root", "network_def", "monai_version":
		return true
	}
	return false
}

// LoaderModule judges what MLflow's python_function imports to load a model.
func (j Judge) LoaderModule(v string, off int64) {
	if strings.HasPrefix(v, "mlflow.") || strings.HasPrefix(v, "databricks.") {
		return
	}
	sev := scan.SeveritySuspicious
	if j.Names.Call(v+"._load_pyfunc").Level == pyname.Dangerous {
		sev = scan.SeverityMalicious
	}
	j.Report("loader_module", sev, TechExecution, off,
		"MLflow imports "+scan.Quote(v, 100)+" to load the model; it is no module of MLflow, and runs without asking")
}

// Library judges the name of a native library under a key that says so.
func (j Judge) Library(key, v string, off int64) {
	if !isLibrary(v) || !Escapes(v) && !Rooted(v) {
		return
	}
	for _, s := range [...]string{"lib", "plugin", "extension", "custom_op"} {
		if strings.Contains(strings.ToLower(key), s) {
			j.Report("library", scan.SeveritySuspicious, TechExecution, off,
				fmt.Sprintf("%s names a native library outside of the model, %s", scan.Quote(key, 60), scan.Quote(v, 200)))
			return
		}
	}
}

// Expression judges "$…", which MONAI evaluates as Python, if it does more than
// honest ones do.
func (j Judge) Expression(v string, off int64) {
	word := Runs(v)
	sev, tech := scan.SeverityMalicious, TechExecution
	if word == "urllib.request" || word == "socket.socket" {
		sev, tech = scan.SeveritySuspicious, TechNetwork
	}
	j.Report("expression", sev, tech, off, "an expression that MONAI evaluates uses "+word+": "+scan.Quote(v, 200))
}

// IsExpression reports text for Expression to judge.
func IsExpression(v string) bool {
	return strings.HasPrefix(v, "$") && !strings.HasPrefix(v, "${") && Runs(v) != ""
}
