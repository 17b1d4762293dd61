package all

import "strings"

// Row tells people about one format, or a family of them: a line of the table
// in the README and of `modelwall formats`.
type Row struct {
	Title string `json:"title"` // what people call it
	// Formats are the names of the scanners, as they appear in a report.
	Formats    []string `json:"formats"`
	Recognised string   `json:"recognised"` // by which bytes; names are hints
	Checked    string   `json:"checked"`    // what is looked at, and for what
	Read       string   `json:"read"`       // how much of a file
}

// Formats is the table: each scanner of Scanners stands in one row, and a test
// fails when one is missing. Rows are in the order of Scanners, by their first.
func Formats() []Row {
	return []Row{
		{
			"zip, PyTorch and Keras archives, skops, npz, jar",
			[]string{"zip"},
			"`PK` at the front, an end record at the back or behind any prefix",
			"central directory *and* local headers; disagreement, hidden, duplicate, overlapping and encrypted entries, slips, links; every member",
			"directory, headers and members that are no tensors",
		},
		{
			"7z",
			[]string{"sevenzip"},
			"signature, at the front or behind a program",
			"headers with every number checked, encryption; every member", "all, under budgets",
		},
		{
			"tar, NeMo, legacy PyTorch, webdataset",
			[]string{"tar"},
			"header checksum",
			"slips, links, devices, headers that readers disagree on, data behind the end; every member", "headers and members",
		},
		{
			"gzip, bzip2, xz, zstd, lz4, lzma, zlib, joblib's ZF",
			[]string{"gzip", "bzip2", "xz", "zstd", "lz4", "lzma", "zlib", "zfile"},
			"signature; for lzma and zlib a valid header",
			"what decodes is inspected, also in front of damage; further streams and data behind the end; bombs", "all, under budgets",
		},
		{
			"git packs",
			[]string{"git-pack"},
			"`PACK`, also within pkt-lines",
			"every blob, deltas applied, by its name in the trees", "all, under budgets",
		},
		{
			"pickle: protocols 0-5; joblib, dill, cloudpickle, legacy PyTorch, several in a row, nested",
			[]string{"pickle"},
			"an opcode that loaders start with; text of protocol 0 too",
			"every opcode on an abstract machine: each import, what is called and with what; allowlist of globals with constraints on arguments",
			"opcodes; long strings and tensors are skipped",
		},
		{
			"R data (rds, rda)",
			[]string{"rdata"},
			"magic, XDR, ASCII or native",
			"promises, active bindings, functions that hide R's own, what code calls", "structure; numbers are skipped",
		},
		{
			"HDF5, Keras .h5, MATLAB 7.3, netCDF4",
			[]string{"hdf5"},
			"superblock, also behind a user block",
			"attributes, external links and storage, virtual data sets, filters, announced sizes; configurations and pickles inside", "headers and attributes",
		},
		{
			"safetensors",
			[]string{"safetensors"},
			"length and a JSON header",
			"bounds, overlaps, holes, duplicates, sizes against shapes; what lies in metadata and holes", "header, holes",
		},
		{
			"GGUF, GGML",
			[]string{"gguf"},
			"magic of any version",
			"counts and lengths before they are used, offsets of tensors; chat templates", "header",
		},
		{
			"TensorFlow SavedModel, MetaGraph, GraphDef, Keras metadata",
			[]string{"savedmodel", "metagraph", "graphdef", "keras-metadata", "riegeli"},
			"fields of the protocol buffer, also as text",
			"operations that read, write, connect or call Python, in the function library too; constant paths, assets, Lambda layers", "graph; tensors are skipped",
		},
		{
			"ONNX",
			[]string{"onnx"},
			"fields of the protocol buffer, also as text",
			"external data paths, custom domains, PythonOp, functions and subgraphs", "graph; tensors are skipped",
		},
		{
			"Caffe",
			[]string{"caffe"},
			"a NetParameter, text or binary",
			"Python layers, files that are written", "layers; blobs are skipped",
		},
		{
			"CNTK",
			[]string{"cntk"},
			"a Dictionary with a version, or `BCN`",
			"user-defined functions in Python and native libraries", "graph; tensors are skipped",
		},
		{
			"RKNN", []string{"rknn"}, "`RKNN`", "commands in the description", "description",
		},
		{
			"Core ML",
			[]string{"coreml", "mlpackage"},
			"fields of the protocol buffer; the manifest of a package",
			"custom layers and models, linked models, paths of weights, metadata that tools evaluate", "graph; weights are skipped",
		},
		{
			"PaddlePaddle",
			[]string{"paddle", "pdiparams"},
			"fields of the protocol buffer; a row of tensors",
			"py_func, operators that read, write or connect, operators that need a library", "program; tensors are skipped",
		},
		{
			"MXNet",
			[]string{"mxnet", "mxnet-params"},
			"JSON with nodes and heads; the magic of NDArrays",
			"custom operators and libraries, subgraphs", "graph; tensors are skipped",
		},
		{
			"Keras configurations (v3, legacy JSON and YAML)",
			[]string{"keras"},
			"keys of a configuration",
			"Lambda code disassembled to what it calls, `module` and `registered_name`, file gadgets", "all",
		},
		{
			"skops schemas",
			[]string{"skops"},
			"JSON with `__loader__`",
			"each type and function, shapes that go through the audit's holes", "all",
		},
		{
			"JSON configurations of transformers, diffusers, PEFT, sentence-transformers, MLflow, MONAI, TorchServe …",
			[]string{"config"},
			"JSON",
			"what a loader imports, instantiates, fetches or opens; code of the repository is told, not blocked; text that hides code", "all, as a stream",
		},
		{
			"YAML: NeMo, Hydra, MLflow, SpeechBrain …",
			[]string{"yaml"},
			"text that parses as YAML",
			"tags that construct objects, in every spelling; what programs import or call by a key", "all",
		},
		{
			"XML: OpenVINO, PMML …",
			[]string{"xml"},
			"a tag at the front, any encoding",
			"external and nested entities, libraries, extensions, scripts", "all",
		},
		{
			"chat templates (Jinja)",
			[]string{"jinja"},
			"delimiters",
			"attribute walks and gadgets after constant folding", "all",
		},
		{
			"programs: ELF, PE, Mach-O, APE (llamafile), JVM, dex, Lua, WebAssembly, scripts with `#!`",
			[]string{"executable"},
			"signature",
			"that it is one, and what it is doing in a model; commands of scripts", "headers; scripts whole",
		},
		{
			"npy", []string{"npy"}, "magic", "the header, which is an expression; object arrays go to the pickle machine", "header",
		},
		{
			"text, JSON, SentencePiece", []string{"empty", "text", "json", "sentencepiece"}, "every byte fits", "nothing in it runs", "all",
		},
		{
			"images, audio, video, PDF", []string{"image", "audio", "video", "document"}, "signature", "no loader executes it", "both ends",
		},
		{
			"Parquet, Arrow, Feather, SQLite", []string{"table"}, "signature", "no loader executes it", "both ends",
		},
		{
			"opaque numbers", []string{"data"}, "no known signature", "no loader executes it", "both ends",
		},
		{
			"formats that can carry code and have no scanner yet",
			[]string{"unsupported"},
			"signature",
			"nothing: they are *undetermined* and say so", "both ends",
		},
	}
}

// Markdown renders rows as a table for a README.
func Markdown(rows []Row) string {
	var b strings.Builder
	b.WriteString("| format | recognised by | what is looked at | what is read |\n|-|-|-|-|\n")
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, r := range rows {
		for _, text := range []string{r.Title, r.Recognised, r.Checked, r.Read} {
			b.WriteString("| " + cell.Replace(text) + " ")
		}
		b.WriteString("|\n")
	}
	return b.String()
}
