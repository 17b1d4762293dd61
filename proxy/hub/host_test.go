package hub

import "testing"

func TestRoleOf(t *testing.T) {
	for _, tt := range []struct {
		host string
		want Role
	}{
		// huggingface_hub constants.py: the endpoint, the short domain, staging.
		{"huggingface.co", RoleHub},
		{"HuggingFace.CO", RoleHub},
		{"huggingface.co.", RoleHub},
		{"huggingface.co:443", RoleHub},
		{"HF.co.:8443", RoleHub},
		{"www.huggingface.co", RoleHub},
		{"hub-ci.huggingface.co", RoleHub},
		// hub-docs models-downloading.md and captured redirects.
		{"us.aws.cdn.hf.co", RoleCDN},
		{"us.gcp.cdn.hf.co", RoleCDN},
		{"cdn.hf.co", RoleCDN},
		{"cdn-lfs.huggingface.co", RoleCDN},
		{"cdn-lfs.hf.co", RoleCDN},
		{"cdn-lfs-us-1.huggingface.co", RoleCDN},
		{"cdn-lfs-us-1.hf.co", RoleCDN},
		{"cdn-lfs-eu-1.hf.co", RoleCDN},
		{"cdn-lfs.us-1.huggingface.co", RoleCDN},
		{"cdn-uploads.huggingface.co", RoleCDN},
		{"cdn-media.huggingface.co", RoleCDN},
		{"cdn-thumbnails.huggingface.co", RoleCDN},
		{"cas-bridge.xethub.hf.co", RoleCDN},
		{"cas-bridge.xethub-eu.hf.co", RoleCDN},
		// xet-core.
		{"cas-server.xethub.hf.co", RoleXetCAS},
		{"cas-server.xethub-eu.hf.co", RoleXetCAS},
		{"transfer.xethub.hf.co", RoleXetTransfer},
		{"transfer.xethub-eu.hf.co:443", RoleXetTransfer},
		{"new.xethub.hf.co", RoleUnknown},
		{"xethub.hf.co", RoleUnknown},
		{"datasets-server.huggingface.co", RoleAuxiliary},
		{"router.huggingface.co", RoleInference},
		{"api-inference.huggingface.co", RoleInference},
		{"endpoints.huggingface.co", RoleInference},
		{"api.endpoints.huggingface.cloud", RoleInference},
		{"x1y2.us-east-1.aws.endpoints.huggingface.cloud", RoleInference},
		{"huggingface.cloud", RoleUnknown},
		{"user-space.hf.space", RoleApp},
		{"user-space.static.hf.space", RoleApp},
		{"abc.hf.jobs", RoleApp},
		{"s3.hf.co", RoleStorage},
		{"fast.hf.co", RoleStorage},
		// Sub-hosts nobody has looked at.
		{"discuss.huggingface.co", RoleUnknown},
		{"evil.cdn-lfs.huggingface.co", RoleUnknown},
		{"bucket.s3.hf.co", RoleUnknown},
		// Not the Hub's.
		{"example.org", RoleNotHub},
		{"nothuggingface.co", RoleNotHub},
		{"huggingface.co.example.org", RoleNotHub},
		{"huggingface.com", RoleNotHub},
		{"pypi.org:443", RoleNotHub},
		{"127.0.0.1:8080", RoleNotHub},
		{"[::1]:443", RoleNotHub},
		{"[2001:db8::1]", RoleNotHub},
		{"::1", RoleNotHub},
		// No host names: another program may see something in them.
		{"", RoleUnknown},
		{".", RoleUnknown},
		{":443", RoleUnknown},
		{"huggingface.co:443:1", RoleUnknown},
		{"huggingface.co:http", RoleUnknown},
		{"[huggingface.co]x", RoleUnknown},
		{"[", RoleUnknown},
		{"]", RoleUnknown},
		{"[]:443", RoleUnknown},
		{"hugging%66ace.co", RoleUnknown},
		{"ｈuggingface.co", RoleUnknown},
		{"huggingface。co", RoleUnknown},
		{"huggingface.co\x00.example.org", RoleUnknown},
		{"huggingface.co ", RoleUnknown},
		{"user@huggingface.co", RoleUnknown},
		{"huggingface..co", RoleUnknown},
		{".huggingface.co", RoleUnknown},
	} {
		if got := RoleOf(tt.host); got != tt.want {
			t.Errorf("RoleOf(%q) = %v, want %v", tt.host, got, tt.want)
		}
	}
}

func TestNamesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for k := range kinds {
		name := k.String()
		if name == "" || seen[name] {
			t.Errorf("kind %d has the name %q", k, name)
		}
		seen[name] = true
		classes := 0
		for _, in := range []bool{k.IsFile(), k.IsMetadata(), k.Refused(), k == GitUploadPack, k == Relay} {
			if in {
				classes++
			}
		}
		if classes != 1 {
			t.Errorf("%v is in %d classes", k, classes)
		}
	}
	if got := RoleStorage.String(); got != "storage" {
		t.Errorf("RoleStorage is called %q", got)
	}
	if got := kinds.String() + Role(200).String(); got == "" {
		t.Error("values out of range have no name")
	}
	if !Kind(0).Refused() || Role(0) != RoleUnknown {
		t.Error("a zero value is not refused")
	}
}
