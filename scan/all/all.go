// Package all is the one list of the scanners that Modelwall runs.
//
// What people are told about them, the table of formats in the README, is
// generated from Formats.
//
//go:generate go test -run ^TestREADME$ -update .
package all

import (
	"slices"

	"modelwall/scan"
	"modelwall/scan/caffe"
	"modelwall/scan/cntk"
	"modelwall/scan/compress"
	"modelwall/scan/config"
	"modelwall/scan/coreml"
	"modelwall/scan/data"
	"modelwall/scan/executable"
	"modelwall/scan/flatbuffers"
	"modelwall/scan/gguf"
	"modelwall/scan/gitpack"
	"modelwall/scan/hdf5"
	"modelwall/scan/jinja"
	"modelwall/scan/keras"
	"modelwall/scan/msgpack"
	"modelwall/scan/mxnet"
	"modelwall/scan/notebook"
	"modelwall/scan/onnx"
	"modelwall/scan/paddle"
	"modelwall/scan/pickle"
	"modelwall/scan/python"
	"modelwall/scan/rdata"
	"modelwall/scan/rknn"
	"modelwall/scan/safetensors"
	"modelwall/scan/script"
	"modelwall/scan/sevenzip"
	"modelwall/scan/skops"
	"modelwall/scan/table"
	"modelwall/scan/tar"
	"modelwall/scan/tensorflow"
	"modelwall/scan/tensorrt"
	"modelwall/scan/torch7"
	"modelwall/scan/xgboost"
	"modelwall/scan/xml"
	"modelwall/scan/yaml"
	"modelwall/scan/zip"
)

// Scanners returns every scanner, in the order in which the engine asks them:
// containers first, so that their formats lead a report, what executes next,
// what is known not to execute last.
func Scanners() []scan.Scanner {
	return slices.Concat(
		[]scan.Scanner{zip.New(), sevenzip.New(), tar.New()},
		compress.New(),
		[]scan.Scanner{gitpack.New(), pickle.New(), rdata.New(), hdf5.New(), safetensors.New(), gguf.New()},
		tensorflow.New(),
		[]scan.Scanner{onnx.New(), caffe.New(), cntk.New(), rknn.New()},
		coreml.New(),
		paddle.New(),
		mxnet.New(),
		flatbuffers.New(),
		[]scan.Scanner{msgpack.New(), torch7.New(), tensorrt.New()},
		xgboost.New(),
		table.New(),
		[]scan.Scanner{keras.New(), skops.New(), config.New(), yaml.New(), xml.New(), jinja.New(), executable.New()},
		[]scan.Scanner{notebook.New(), python.New()},
		script.New(),
		data.New(),
	)
}
