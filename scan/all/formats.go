package all

import (
	"path"
	"slices"
	"strings"

	"modelwall/scan"
)

// Row tells people about one format, or a family of them: a line of the table
// in the README and of `modelwall formats`.
type Row struct {
	Title string `json:"title"` // what people call it
	// Formats are the names of the scanners, as they appear in a report.
	Formats    []string `json:"formats"`
	Recognised string   `json:"recognised"` // by which bytes; names are hints
	Checked    string   `json:"checked"`    // what is looked at, and for what
	Read       string   `json:"read"`       // how much of a file
	// Names are the usual ends of names, for people and for Misnamed: what
	// is called so and is of no row that has the name is told.
	Names []string `json:"names"`
}

// Formats is the table: each scanner of Scanners stands in one row, and a test
// fails when one is missing. Rows are in the order of Scanners, by their first.
func Formats() []Row {
	return []Row{
		{
			Title:      "zip, PyTorch and Keras archives, skops, npz, jar",
			Formats:    []string{"zip"},
			Recognised: "`PK` at the front, an end record at the back or behind any prefix",
			Checked:    "central directory *and* local headers; disagreement, hidden, duplicate, overlapping and encrypted entries, slips, links; every member",
			Read:       "directory, headers and members that are no tensors",
			Names:      []string{".zip", ".pt", ".pth", ".ckpt", ".keras", ".npz", ".skops", ".mar", ".jar", ".pt2", ".whl"},
		},
		{
			Title:      "7z",
			Formats:    []string{"sevenzip"},
			Recognised: "signature, at the front or behind a program",
			Checked:    "headers with every number checked, encryption; every member",
			Read:       "all, under budgets",
			Names:      []string{".7z"},
		},
		{
			Title:      "tar, NeMo, legacy PyTorch, webdataset",
			Formats:    []string{"tar"},
			Recognised: "header checksum",
			Checked:    "slips, links, devices, headers that readers disagree on, data behind the end; every member",
			Read:       "headers and members",
			Names:      []string{".tar", ".nemo", ".pt", ".pth", ".ckpt"},
		},
		{
			Title:      "gzip, bzip2, xz, zstd, lz4, lzma, zlib, joblib's ZF",
			Formats:    []string{"gzip", "bzip2", "xz", "zstd", "lz4", "lzma", "zlib", "zfile"},
			Recognised: "signature; for lzma and zlib a valid header",
			Checked:    "what decodes is inspected, also in front of damage; further streams and data behind the end; bombs",
			Read:       "all, under budgets",
			Names:      []string{".gz", ".tgz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".z", ".pkl", ".pickle", ".joblib", ".rds", ".rda", ".rdata", ".nemo"},
		},
		{
			Title:      "git packs",
			Formats:    []string{"git-pack"},
			Recognised: "`PACK`, also within pkt-lines",
			Checked:    "every blob, deltas applied, by its name in the trees",
			Read:       "all, under budgets",
			Names:      []string{".pack"},
		},
		{
			Title:      "pickle: protocols 0-5; joblib, dill, cloudpickle, legacy PyTorch, several in a row, nested",
			Formats:    []string{"pickle"},
			Recognised: "an opcode that loaders start with; text of protocol 0 too",
			Checked:    "every opcode on an abstract machine: each import, what is called and with what; allowlist of globals with constraints on arguments",
			Read:       "opcodes; long strings and tensors are skipped",
			Names:      []string{".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt", ".pdparams", ".pdopt"},
		},
		{
			Title:      "R data (rds, rda)",
			Formats:    []string{"rdata"},
			Recognised: "magic, XDR, ASCII or native",
			Checked:    "promises, active bindings, functions that hide R's own, what code calls",
			Read:       "structure; numbers are skipped",
			Names:      []string{".rds", ".rda", ".rdata"},
		},
		{
			Title:      "HDF5, Keras .h5, MATLAB 7.3, netCDF4",
			Formats:    []string{"hdf5"},
			Recognised: "superblock, also behind a user block",
			Checked:    "attributes, external links and storage, virtual data sets, filters, announced sizes; configurations and pickles inside",
			Read:       "headers and attributes",
			Names:      []string{".h5", ".hdf5", ".keras", ".nc"},
		},
		{
			Title:      "safetensors",
			Formats:    []string{"safetensors"},
			Recognised: "length and a JSON header",
			Checked:    "bounds, overlaps, holes, duplicates, sizes against shapes; what lies in metadata and holes",
			Read:       "header, holes",
			Names:      []string{".safetensors"},
		},
		{
			Title:      "GGUF, GGML",
			Formats:    []string{"gguf"},
			Recognised: "magic of any version",
			Checked:    "counts and lengths before they are used, offsets of tensors; chat templates",
			Read:       "header",
			Names:      []string{".gguf"},
		},
		{
			Title:      "TensorFlow SavedModel, MetaGraph, GraphDef, Keras metadata",
			Formats:    []string{"savedmodel", "metagraph", "graphdef", "keras-metadata", "riegeli"},
			Recognised: "fields of the protocol buffer, also as text",
			Checked:    "operations that read, write, connect or call Python, in the function library too; constant paths, assets, Lambda layers",
			Read:       "graph; tensors are skipped",
		},
		{
			Title:      "ONNX",
			Formats:    []string{"onnx"},
			Recognised: "fields of the protocol buffer, also as text",
			Checked:    "external data paths, custom domains, PythonOp, functions and subgraphs",
			Read:       "graph; tensors are skipped",
			Names:      []string{".onnx"},
		},
		{
			Title:      "Caffe",
			Formats:    []string{"caffe"},
			Recognised: "a NetParameter, text or binary",
			Checked:    "Python layers, files that are written",
			Read:       "layers; blobs are skipped",
			Names:      []string{".caffemodel"},
		},
		{
			Title:      "CNTK",
			Formats:    []string{"cntk"},
			Recognised: "a Dictionary with a version, or `BCN`",
			Checked:    "user-defined functions in Python and native libraries",
			Read:       "graph; tensors are skipped",
		},
		{
			Title:      "RKNN",
			Formats:    []string{"rknn"},
			Recognised: "`RKNN`",
			Checked:    "commands in the description",
			Read:       "description",
			Names:      []string{".rknn"},
		},
		{
			Title:      "Core ML",
			Formats:    []string{"coreml", "mlpackage"},
			Recognised: "fields of the protocol buffer; the manifest of a package",
			Checked:    "custom layers and models, linked models, paths of weights, metadata that tools evaluate",
			Read:       "graph; weights are skipped",
			Names:      []string{".mlmodel"},
		},
		{
			Title:      "PaddlePaddle",
			Formats:    []string{"paddle", "pdiparams"},
			Recognised: "fields of the protocol buffer; a row of tensors",
			Checked:    "py_func, operators that read, write or connect, operators that need a library",
			Read:       "program; tensors are skipped",
		},
		{
			Title:      "MXNet",
			Formats:    []string{"mxnet", "mxnet-params"},
			Recognised: "JSON with nodes and heads; the magic of NDArrays",
			Checked:    "custom operators and libraries, subgraphs",
			Read:       "graph; tensors are skipped",
		},
		{
			Title:      "Keras configurations (v3, legacy JSON and YAML)",
			Formats:    []string{"keras"},
			Recognised: "keys of a configuration",
			Checked:    "Lambda code disassembled to what it calls, `module` and `registered_name`, file gadgets",
			Read:       "all",
		},
		{
			Title:      "skops schemas",
			Formats:    []string{"skops"},
			Recognised: "JSON with `__loader__`",
			Checked:    "each type and function, shapes that go through the audit's holes",
			Read:       "all",
		},
		{
			Title:      "JSON configurations of transformers, diffusers, PEFT, sentence-transformers, MLflow, MONAI, TorchServe …",
			Formats:    []string{"config"},
			Recognised: "JSON",
			Checked:    "what a loader imports, instantiates, fetches or opens; code of the repository is told, not blocked; text that hides code",
			Read:       "all, as a stream",
		},
		{
			Title:      "YAML: NeMo, Hydra, MLflow, SpeechBrain …",
			Formats:    []string{"yaml"},
			Recognised: "text that parses as YAML",
			Checked:    "tags that construct objects, in every spelling; what programs import or call by a key",
			Read:       "all",
		},
		{
			Title:      "XML: OpenVINO, PMML …",
			Formats:    []string{"xml"},
			Recognised: "a tag at the front, any encoding",
			Checked:    "external and nested entities, libraries, extensions, scripts",
			Read:       "all",
			Names:      []string{".xml", ".pmml"},
		},
		{
			Title:      "chat templates (Jinja)",
			Formats:    []string{"jinja"},
			Recognised: "delimiters",
			Checked:    "attribute walks and gadgets after constant folding",
			Read:       "all",
		},
		{
			Title:      "programs: ELF, PE, Mach-O, APE (llamafile), JVM, dex, Lua, WebAssembly, scripts with `#!`",
			Formats:    []string{"executable"},
			Recognised: "signature",
			Checked:    "that it is one, and what it is doing in a model; commands of scripts",
			Read:       "headers; scripts whole",
			Names:      []string{".so", ".dll", ".exe", ".dylib", ".llamafile", ".class", ".wasm"},
		},
		{
			Title:      "TensorFlow Lite, ONNX Runtime (ORT), ExecuTorch",
			Formats:    []string{"tflite", "ort", "executorch"},
			Recognised: "identifier of the flatbuffer",
			Checked:    "offsets that lead out of the file, custom operators, TensorFlow operations inside, backends that load native code",
			Read:       "graph; tensors are skipped",
			Names:      []string{".tflite", ".ort", ".pte"},
		},
		{
			Title:      "TensorRT, Torch7",
			Formats:    []string{"tensorrt", "torch7"},
			Recognised: "signature; a valid object for Torch7",
			Checked:    "programs for the host, stored functions",
			Read:       "structure; numbers are skipped",
			Names:      []string{".t7", ".engine", ".plan", ".trt"},
		},
		{
			Title:      "XGBoost, LightGBM, CatBoost",
			Formats:    []string{"xgboost", "lightgbm", "catboost"},
			Recognised: "keys or signature of a model",
			Checked:    "objects that are pickles, commands in strings",
			Read:       "structure; numbers are skipped",
		},
		{
			Title:      "MessagePack (Flax)",
			Formats:    []string{"msgpack"},
			Recognised: "a map or array that fits",
			Checked:    "extension types and strings that are pickles",
			Read:       "structure; numbers are skipped",
			Names:      []string{".msgpack"},
		},
		{
			Title:      "Parquet, Arrow, Feather, SQLite, LMDB",
			Formats:    []string{"parquet", "arrow", "sqlite", "lmdb"},
			Recognised: "signature",
			Checked:    "column types that unpickle, triggers that load libraries, values that are pickles",
			Read:       "schemas, metadata and values that can be pickles",
			Names:      []string{".parquet", ".arrow", ".feather", ".sqlite", ".mdb"},
		},
		{
			Title:      "Python sources and notebooks",
			Formats:    []string{"python", "notebook"},
			Recognised: "text that is Python; JSON with cells",
			Checked:    "what runs on import, after constants are put together: decoded or downloaded code, keys that leave, destruction; what merely could is told",
			Read:       "all",
			Names:      []string{".py", ".ipynb"},
		},
		{
			Title:      "shell scripts, Dockerfiles, pip requirements, path files, launchers, HTML and SVG",
			Formats:    []string{"shell", "requirements", "pth", "desktop", "html"},
			Recognised: "text of their form",
			Checked:    "what runs when it is installed or opened: wired shells, downloads that are run, indexes elsewhere, scripts",
			Read:       "all",
			Names:      []string{".html", ".svg", ".desktop", ".sh", ".pth"},
		},
		{
			Title:      "npy",
			Formats:    []string{"npy"},
			Recognised: "magic",
			Checked:    "the header, which is an expression; object arrays go to the pickle machine",
			Read:       "header",
			Names:      []string{".npy"},
		},
		{
			Title:      "text, JSON, SentencePiece",
			Formats:    []string{"empty", "text", "json", "sentencepiece"},
			Recognised: "every byte fits",
			Checked:    "nothing in it runs",
			Read:       "all",
			Names:      []string{".json", ".jsonl", ".txt", ".md", ".csv", ".py", ".yaml", ".yml", ".jinja"},
		},
		{
			Title:      "images, audio, video, PDF",
			Formats:    []string{"image", "audio", "video", "document"},
			Recognised: "signature",
			Checked:    "no loader executes it",
			Read:       "both ends",
			Names:      []string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".wav", ".flac", ".ogg", ".mp4"},
		},
		{
			Title:      "opaque numbers",
			Formats:    []string{"data"},
			Recognised: "no known signature",
			Checked:    "no loader executes it",
			Read:       "both ends",
		},
		{
			Title:      "formats that can carry code and have no scanner yet",
			Formats:    []string{"unsupported"},
			Recognised: "signature",
			Checked:    "nothing: they are *undetermined* and say so",
			Read:       "both ends",
		},
	}
}

// Misnamed tells of a file whose name promises another format than those that
// it turned out to have. It decides nothing, since loaders go by content as
// well as by name: somebody should know.
func Misnamed(name string, formats []string) (scan.Finding, bool) {
	ext := strings.ToLower(path.Ext(strings.ReplaceAll(name, `\`, "/")))
	promised := false
	for _, r := range Formats() {
		if ext == "" || !slices.Contains(r.Names, ext) {
			continue
		}
		promised = true
		for _, f := range formats {
			if slices.Contains(r.Formats, f) {
				return scan.Finding{}, false
			}
		}
	}
	if !promised || len(formats) == 0 {
		return scan.Finding{}, false
	}
	return scan.Finding{
		Rule: "name.mismatch", Severity: scan.Low, Technique: "misleading-name",
		Message: "is called " + scan.Quote(ext, 20) + " and is " + strings.Join(formats, ", "),
	}, true
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
