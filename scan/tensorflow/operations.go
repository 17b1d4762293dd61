package tensorflow

import "modelwall/scan"

// operation is one that does more than compute.
type operation struct {
	effect    effect
	severity  scan.Severity // of its presence
	technique string
	does      string // "reads a file"
}

// effect is what an operation does to the machine that runs the graph.
type effect uint8

const (
	other effect = iota
	reads
	writes
)

// What every graph with variables does to its own checkpoint.
const (
	doesCheckpoint = "writes a checkpoint"
	doesRestore    = "reads a checkpoint"
)

// operations lists what TensorFlow's own registry has that reaches out of the
// graph. Names of later versions (V2, V3) are looked up without the suffix.
//
// The severity is that of an operation about which nothing else is known: Low
// for what honest training graphs have, as input pipelines and checkpoints;
// what it opens can make it worse.
func operations() map[string]operation {
	ops := map[string]operation{}
	add := func(o operation, names ...string) {
		for _, n := range names {
			ops[n] = o
		}
	}
	add(operation{other, scan.SeveritySuspicious, "code-execution", "calls a Python function of the process that loads the model"},
		"PyFunc", "PyFuncStateless", "EagerPyFunc")
	// Not in the registry: what a name promises, a library may keep.
	add(operation{other, scan.SeveritySuspicious, "code-execution", "is no operation of TensorFlow and named after starting programs or loading code"},
		"PyCall", "ShellExecute", "ExecuteOp", "LoadLibrary", "SystemConfig", "Exec", "System", "Shell", "Eval", "RunCommand", "Subprocess", "OsSystem")

	add(operation{writes, scan.SeverityMalicious, "file-access", "writes a file"},
		"WriteFile", "DatasetToTFRecord", "ExperimentalDatasetToTFRecord")
	add(operation{writes, scan.SeveritySuspicious, "file-access", "writes data sets to files"},
		"SaveDataset", "DistributedSave")
	add(operation{writes, scan.Info, "file-access", doesCheckpoint},
		"Save", "SaveSlices", "MergeV2Checkpoints")
	add(operation{writes, scan.Info, "file-access", "writes summaries or a cache"},
		"SummaryWriter", "CreateSummaryFileWriter", "CreateSummaryDbWriter", "CacheDataset", "SnapshotDataset", "SnapshotDatasetReader")

	add(operation{reads, scan.SeveritySuspicious, "file-access", "reads a file"},
		"ReadFile", "LoadDataset")
	add(operation{reads, scan.SeveritySuspicious, "file-access", "lists the files of a folder"},
		"MatchingFiles")
	add(operation{reads, scan.Low, "file-access", "reads training data from files"},
		"MatchingFilesDataset", "ExperimentalMatchingFilesDataset", "TFRecordDataset", "TextLineDataset", "FixedLengthRecordDataset",
		"CSVDataset", "ExperimentalCSVDataset", "SqlDataset", "ExperimentalSqlDataset", "LMDBDataset", "ExperimentalLMDBDataset",
		"WholeFileReader", "TextLineReader", "TFRecordReader", "FixedLengthRecordReader", "LMDBReader", "IndexFlatMapDataset",
		"ReaderRead", "ReaderReadUpTo", "ListSnapshotChunksDataset", "SnapshotChunkDataset")
	add(operation{reads, scan.Info, "file-access", "reads a table or a description from a file"},
		"InitializeTableFromTextFile", "DecodeProto", "EncodeProto")
	add(operation{reads, scan.Info, "file-access", doesRestore},
		"Restore", "RestoreSlice", "LoadAndRemapMatrix", "GenerateVocabRemapping", "CheckpointHasTensor")

	add(operation{other, scan.SeveritySuspicious, "network", "sends data to or takes data from another machine"},
		"Rpc", "TryRpc", "DataServiceDataset", "RegisterDataset", "BigQueryReader", "GcsConfigureCredentials",
		"GcsConfigureBlockCache", "KafkaDataset", "KinesisDataset", "BigtableClient", "RpcServer", "RpcServerStart", "RpcClient", "RpcCall")
	add(operation{other, scan.SeveritySuspicious, "obfuscation", "runs a graph that is serialized in a string and not examined"},
		"DatasetFromGraph", "RemoteFusedGraphExecute")
	add(operation{other, scan.SeveritySuspicious, "denial-of-service", "ends the process"},
		"Abort")
	return ops
}

// find looks up an operation, with or without the number of its version.
func find(ops map[string]operation, name string) (operation, bool) {
	if o, ok := ops[name]; ok {
		return o, true
	}
	if n := len(name); n > 2 && name[n-2] == 'V' && name[n-1] >= '2' && name[n-1] <= '9' {
		o, ok := ops[name[:n-2]]
		return o, ok
	}
	return operation{}, false
}

// passes reports whether an operation hands a path on, whole or in parts.
func passes(op string) bool {
	switch op {
	case "Identity", "IdentityN", "PlaceholderWithDefault", "StringJoin", "ShardedFilename", "ShardedFilespec", "Pack", "ExpandDims",
		"Reshape", "Fill", "Squeeze", "Concat", "ConcatV2", "AsString", "StringStrip", "StringLower", "Substr", "Switch", "Merge",
		"RegexReplace", "StaticRegexReplace", "ReduceJoin", "StringFormat", "TensorSliceDataset", "TensorDataset", "Select", "SelectV2",
		"Gather", "GatherV2", "StridedSlice", "Slice", "Unpack", "DecodeBase64", "UnicodeTranscode", "RandomShuffle", "StopGradient",
		"QueueEnqueueV2", "QueueEnqueueManyV2", "Snapshot", "EnsureShape", "Tile", "BroadcastTo", "Cast", "StringUpper", "Split",
		"MatchingFiles", "IteratorGetNext", "MakeIterator", "RepeatDataset", "ShuffleDataset", "MapDataset", "FlatMapDataset", "InterleaveDataset":
		return true
	}
	return false
}

// common reports whether an operation stands in nearly every graph: what has
// it is one.
func common(op string) bool {
	switch op {
	case "Const", "Placeholder", "Identity", "NoOp", "VarHandleOp", "VariableV2", "Variable", "ReadVariableOp", "MatMul", "Conv2D",
		"PartitionedCall", "StatefulPartitionedCall", "AssignVariableOp", "Assign", "Add", "AddV2", "BiasAdd", "Relu", "Softmax", "Reshape":
		return true
	}
	return false
}
