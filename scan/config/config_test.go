package config

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

const evil = "\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."

func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestScanner(t *testing.T) {
	clean, low, suspicious, malicious := scan.Info, scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious
	b64 := base64.StdEncoding.EncodeToString
	samples := []scantest.Sample{
		// What honest repositories have.
		{Name: "config", Worst: clean, Data: []byte(`{"architectures":["BertModel"],"model_type":"bert","_name_or_path":"/home/me/x","torch_dtype":"float32","attn_implementation":"flash_attention_2"}`)},
		{Name: "custom code", Worst: low, Data: []byte(`{"auto_map":{"AutoConfig":"configuration_chatglm.ChatGLMConfig","AutoTokenizer":["tokenization_x.Slow",null]}}`)},
		{Name: "remote code", Worst: low, Data: []byte(`{"auto_map":{"AutoModel":"microsoft/Florence-2-large--modeling_florence2.Florence2"},"trust_remote_code":true}`)},
		{Name: "adapter", Worst: clean, Data: []byte(`{"peft_type":"LORA","base_model_name_or_path":"/data/../x","auto_mapping":null,"target_modules":["q_proj"],"megatron_core":"megatron.core"}`)},
		{Name: "adapter custom", Worst: low, Data: []byte(`{"auto_mapping":{"base_model_class":"ChatGLM","parent_library":"transformers_modules.x.modeling"},"peft_type":"LORA"}`)},
		{Name: "modules", Worst: clean, Data: []byte(`[{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},{"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]`)},
		{Name: "modules custom", Worst: low, Data: []byte(`[{"idx":0,"name":"0","path":"","type":"custom_st.Transformer","kwargs":["task"]}]`)},
		{Name: "pipeline", Worst: clean, Data: []byte(`{"_class_name":"StableDiffusionPipeline","_diffusers_version":"0.6.0","unet":["diffusers","UNet2DConditionModel"],"safety_checker":["stable_diffusion","StableDiffusionSafetyChecker"],"text_encoder":["transformers","CLIPTextModel"],"tokenizer_2":[null,null],"force_zeros":true}`), Err: nil},
		{Name: "pipeline custom", Worst: low, Data: []byte(`{"_class_name":["pipeline","MyPipeline"],"_diffusers_version":"0.30.0","transformer":["transformer_x","Net"]}`)},
		{Name: "index", Worst: clean, Data: []byte(`{"metadata":{"total_size":1},"weight_map":{"a..b":"model-00001-of-00002.safetensors"}}`)},
		{Name: "tokenizer", Worst: clean, Data: []byte(`{"model":{"type":"BPE","vocab":{"os":0,".system":1,"eval(":2,"__import__":3,"_target_":4},"merges":["o s","_target_ os.system"]}}`)},
		{Name: "hydra", Worst: clean, Data: []byte(`{"model":{"_target_":"torch.nn.Linear"},"opt":{"class_path":"torch.optim.Adam","init_args":{"lr":1}}}`)},
		{Name: "latent diffusion", Worst: clean, Data: []byte(`{"target":"ldm.models.diffusion.ddpm.LatentDiffusion","params":{}}`)},
		{Name: "dataset", Worst: clean, Data: []byte(`[{"instruction":"list files","target":"os.system","code":"import os\nos.system('ls')"},{"text":"$\\mathrm{eval}(x)$"}]`)},
		{Name: "monai", Worst: clean, Data: []byte(`{"imports":["$import glob"],"bundle_root":".","net":{"_target_":"monai.networks.nets.UNet"},"run":["$@net.eval()","$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')"]}`)},
		{Name: "torchserve", Worst: clean, Data: []byte(`{"model":{"modelName":"m","serializedFile":"m.pt","handler":"image_classifier"}}`)},
		{Name: "image", Worst: clean, Data: []byte(`{"image/png":"` + b64(append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 200)...)) + `"}`)},
		{Name: "commit", Worst: clean, Data: []byte(`{"_commit_hash":"80049500000000000000000000000000000000aa"}`)},
		{Name: "sha512", Worst: clean, Data: []byte(`{"sha512":"` + strings.Repeat("80049500", 16) + `"}`)},
		{Name: "lines", Worst: clean, Data: []byte("{\"a\":1}\n{\"a\":2}\n")},
		{Name: "leftovers", Worst: clean, Data: []byte(`{"special_tokens_map_file":"/root/.cache/huggingface/hub/x/special_tokens_map.json","tokenizer_file":"../bert/tokenizer.json","name_or_path":"../x"}`)},
		{Name: "mlflow", Worst: clean, Data: []byte(`{"flavors":{"python_function":{"loader_module":"mlflow.sklearn","model_path":"model.pkl"}}}`)},
		{Name: "kernels", Worst: low, Data: []byte(`{"attn_implementation":"kernels-community/flash-attn3"}`)},

		// What must be caught.
		{Name: "traversal", Worst: malicious, Data: []byte(`{"auto_map":{"AutoModel":"../../tmp/x--evil.Model"}}`)},
		{Name: "local code", Worst: suspicious, Data: []byte(`{"auto_map":{"AutoModel":"/tmp/x--evil.Model"}}`)},
		{Name: "kernel", Worst: malicious, Data: []byte(`{"_attn_implementation_internal":"evil/kernel"}`)},
		{Name: "kernel nested", Worst: malicious, Data: []byte(`{"attn_implementation":{"text_config":"flash|evil/kernel@main"}}`)},
		{Name: "duplicate key", Worst: malicious, Data: []byte(`{"_attn_implementation_internal":"evil/kernel","_attn_implementation_internal":"sdpa"}`)},
		{Name: "escaped key", Worst: malicious, Data: []byte(`{"\u005ftarget_":"os\u002esystem"}`)},
		{Name: "utf-16", Worst: malicious, Data: []byte(wide(`{"_target_":"os.system"}`))},
		{Name: "comment", Worst: malicious, Data: []byte("// x\n" + `{"_target_":"builtins.exec",}`)},
		{Name: "target", Worst: malicious, Data: []byte(`{"a":[{"_target_":"subprocess.Popen","args":["id"]}]}`)},
		{Name: "target by way", Worst: malicious, Data: []byte(`{"_target_":"torch.os.system"}`)},
		{Name: "target pieces", Worst: malicious, Data: []byte(`{"x":"os.system","_target_":"${x}"}`)},
		{Name: "get_method", Worst: malicious, Data: []byte(`{"_target_":"hydra.utils.get_method","path":"os.system"}`)},
		{Name: "class_path", Worst: malicious, Data: []byte(`{"class_path":"os.system","init_args":{"command":"id"}}`)},
		{Name: "target with params", Worst: malicious, Data: []byte(`{"model":{"target":"os.system","params":{"command":"id"}}}`)},
		{Name: "jsonpickle", Worst: malicious, Data: []byte(`{"py/reduce":[{"py/type":"os.system"},{"py/tuple":["id"]}]}`)},
		{Name: "jsonpickle repr", Worst: malicious, Data: []byte(`{"py/repr":"os/os.system('id')"}`)},
		{Name: "expression", Worst: malicious, Data: []byte(`{"bundle_root":".","run":"$__import__('os').system('id')"}`)},
		{Name: "weights", Worst: malicious, Data: []byte(`{"weight_map":{"a":"../../../tmp/x.bin"}}`)},
		{Name: "weights url", Worst: suspicious, Data: []byte(`{"weight_map":{"a":"https://example.invalid/x.bin"}}`)},
		{Name: "module path", Worst: malicious, Data: []byte(`[{"idx":0,"name":"0","path":"../../x","type":"sentence_transformers.models.Transformer"}]`)},
		{Name: "module type", Worst: malicious, Data: []byte(`[{"idx":0,"name":"0","path":"","type":"os.system"}]`)},
		{Name: "component", Worst: malicious, Data: []byte(`{"_class_name":"P","_diffusers_version":"1","../../x":["diffusers","UNet2DConditionModel"]}`)},
		{Name: "component of os", Worst: malicious, Data: []byte(`{"_class_name":"P","_diffusers_version":"1","unet":["os","system"]}`)},
		{Name: "pushed out", Worst: malicious, Data: []byte(`{"_class_name":"P",` + strings.Repeat(`"unet":["diffusers","UNet2DConditionModel"],`, 2000) + `"_class_name":["../x","P"]}`)},
		{Name: "type pushed out", Worst: malicious, Data: []byte(`[{"idx":0,` + strings.Repeat(`"type":"a",`, 2000) + `"type":"os.system"}]`)},
		{Name: "handler", Worst: malicious, Data: []byte(`{"model":{"modelName":"m","handler":"../../x.py"}}`)},
		{Name: "loader", Worst: suspicious, Data: []byte(`{"flavors":{"python_function":{"loader_module":"evil_loader"}}}`)},
		{Name: "model_file", Worst: suspicious, Data: []byte(`{"model_file":"custom.py"}`)},
		{Name: "secret", Worst: suspicious, Data: []byte(`{"vocab_file":"../../../../etc/passwd"}`)},
		{Name: "library", Worst: suspicious, Data: []byte(`{"op":"Custom","attrs":{"library":"../../tmp/libevil.so"}}`)},
		{Name: "template name", Worst: malicious, Data: []byte(`{"chat_template":[{"name":"../../x","template":"{{ 1 }}"}]}`)},
		{Name: "template key", Worst: malicious, Data: []byte(`{"chat_template":{"../x":"{{ 1 }}"}}`)},
		{Name: "encoded code", Worst: suspicious, Data: []byte(`{"metadata":"` + b64([]byte("# __import__('os').system('id')")) + `"}`)},
		{Name: "nested trust", Worst: suspicious, Data: []byte(`{"model_type":"lightglue","keypoint_detector_config":{"trust_remote_code":true}}`)},
		{Name: "deep", Worst: suspicious, Err: scan.ErrLimit, Data: []byte(strings.Repeat("[", 200_000))},
		{Name: "before damage", Worst: malicious, Err: scan.ErrForeign, Data: []byte(`{"_target_":"os.system", !`)},
	}
	scantest.Run(t, New(), samples)
}

func TestMembers(t *testing.T) {
	long := strings.Repeat("{{ x }} ", 10_000)
	zipped := &bytes.Buffer{}
	w := gzip.NewWriter(zipped)
	w.Write([]byte(evil))
	w.Close()
	for name, c := range map[string]struct {
		data string
		want []string
	}{
		"string":         {`{"chat_template":"{{ a }}\n\u00e9"}`, []string{"chat_template={{ a }}\né"}},
		"list":           {`{"chat_template":[{"name":"default","template":"{{ a }}"},{"name":"rag","template":"{{ b }}"}]}`, []string{"chat_template={{ a }}", "chat_template={{ b }}"}},
		"dict":           {`{"chat_template":{"default":"{% if a %}","x":"{{ b }}"}}`, []string{"chat_template={% if a %}", "chat_template={{ b }}"}},
		"long":           {`{"chat_template":"` + long + `"}`, []string{"chat_template=" + long}},
		"nested":         {`{"model":{"custom_chat_template":"{{ config.__class__ }}"}}`, []string{"chat_template={{ config.__class__ }}"}},
		"other key":      {`{"deploy":"{{ x.__class__ }}"}`, []string{"chat_template={{ x.__class__ }}"}},
		"same twice":     {`[{"template":"{{ a }}"},{"template":"{{ a }}"}]`, []string{"chat_template={{ a }}"}},
		"name only":      {`{"chat_template":"chatml"}`, []string{"chat_template=chatml"}},
		"latex":          {`{"text":"\\frac{{a}}{{b}}"}`, nil},
		"base64 pickle":  {`{"x":"` + base64.StdEncoding.EncodeToString([]byte(evil)) + `"}`, []string{"encoded=" + evil}},
		"base64 url":     {`{"x":"` + base64.URLEncoding.EncodeToString([]byte(evil+"\xff\xfe\xfb")) + `"}`, []string{"encoded=" + evil + "\xff\xfe\xfb"}},
		"base64 lines":   {`{"x":"` + base64.StdEncoding.EncodeToString([]byte(evil))[:40] + `\n` + base64.StdEncoding.EncodeToString([]byte(evil))[40:] + `"}`, []string{"encoded=" + evil}},
		"base64 in uri":  {`{"x":"data:application/octet-stream;base64,` + base64.StdEncoding.EncodeToString(zipped.Bytes()) + `"}`, []string{"encoded=" + zipped.String()}},
		"hex pickle":     {`{"x":"` + hex.EncodeToString([]byte(evil)) + `"}`, []string{"encoded=" + evil}},
		"base64 text":    {`{"x":"` + base64.StdEncoding.EncodeToString([]byte("cos\nsystem\n(S'echo pwned'\ntR.")) + `"}`, []string{"encoded=cos\nsystem\n(S'echo pwned'\ntR."}},
		"tiktoken":       {`{"IQ==":0,"x":"IGFuZCB0aGUgcmVzdCBvZiBpdA=="}`, nil},
		"template names": {`{"prompt_template":"Question: {{question}}","template":"plain"}`, []string{"chat_template=Question: {{question}}"}},
	} {
		r, err := scantest.Scan(New(), "x", []byte(c.data))
		var got []string
		for _, m := range r.Members {
			got = append(got, m.Name+"="+string(m.Data))
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: members %.200q, %v, want %.200q", name, got, err, c.want)
		}
	}
}

// counting counts what is read.
type counting struct {
	*bytes.Reader
	n int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// TestBigTokenizer reads a tokenizer once and allocates next to nothing.
func TestBigTokenizer(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`{"model":{"type":"BPE","vocab":{`)
	for i := range 300_000 {
		fmt.Fprintf(&b, `"token%d":%d,`, i, i)
	}
	b.WriteString(`"end":0},"merges":[`)
	for i := range 200_000 {
		fmt.Fprintf(&b, `"Ġt%d o%d",`, i, i)
	}
	b.WriteString(`"a b"]}}`)
	src := &counting{Reader: bytes.NewReader(b.Bytes())}
	s := New()
	r := &scantest.Record{}
	allocs := testing.AllocsPerRun(1, func() {
		src.n = 0
		if err := s.Scan(context.Background(), scan.File{Size: int64(b.Len()), ReaderAt: src}, r); err != nil {
			t.Fatal(err)
		}
	})
	if src.n > int64(b.Len())+64 || allocs > 300_000 || len(r.Findings) > 0 {
		t.Errorf("read %d of %d bytes, %v allocations, %+v", src.n, b.Len(), allocs, r.Findings)
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"auto_map":{"AutoModel":"a/b--c.D"}}`, `{"chat_template":[{"name":"x","template":"{{ a }}"}]}`, `[{"idx":0,"type":"os.system","path":".."}]`,
		`{"x":"gASVHAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg=="}`, wide(`{"_target_":"x"}`), `{"_class_name":["a","b"],"x":["os","system"]}`,
	} {
		f.Add([]byte(s))
	}
	s := New()
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, s, data) })
}

func BenchmarkTokenizer(b *testing.B) {
	var t bytes.Buffer
	t.WriteString(`{"vocab":{`)
	for i := range 300_000 {
		fmt.Fprintf(&t, `"Ġtoken%d":%d,`, i, i)
	}
	t.WriteString(`"end":0},"merges":["a b"`)
	for i := range 300_000 {
		fmt.Fprintf(&t, `,"Ġt%d o%d"`, i, i)
	}
	t.WriteString(`]}`)
	s := New()
	b.SetBytes(int64(t.Len()))
	for b.Loop() {
		scantest.Scan(s, "x", t.Bytes())
	}
}
