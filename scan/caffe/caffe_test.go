package caffe_test

import (
	"testing"

	"modelwall/scan"
	"modelwall/scan/caffe"
	. "modelwall/scan/internal/pb/pbtest"
	"modelwall/scan/scantest"
)

func layer(name, kind string, more ...[]byte) []byte {
	return Sub(100, Str(1, name), Str(2, kind), Str(3, "data"), Str(4, name), Msg(more...))
}

func python(module, class, param string) []byte {
	return Sub(130, Str(1, module), Str(2, class), Str(3, param))
}

func net(layers ...[]byte) []byte { return Msg(Str(1, "net"), Msg(layers...)) }

func TestScan(t *testing.T) {
	conv := layer("conv1", "Convolution", Sub(7, Str(5, "weights")))
	old := Sub(2, Str(2, "data"), Str(3, "conv1"), Str(4, "conv1"), Int(5, 4), Sub(6, Str(5, "weights")))
	scantest.Run(t, caffe.New(), []scantest.Sample{
		{Name: "plain", Data: net(conv, layer("prob", "Softmax"))},
		{Name: "old layers", Data: net(old)},
		{Name: "training net of a detector", Data: net(conv, layer("p", "Python", python("rpn.proposal_layer", "ProposalLayer", "'feat_stride': 16"))), Worst: scan.Low},
		{Name: "no name of a module", Data: net(layer("p", "Python", python("os; import x", "X", ""))), Worst: scan.SeveritySuspicious},
		{Name: "command", Data: net(layer("p", "Python", python("m", "X", "__import__('os').system('id')"))), Worst: scan.SeveritySuspicious},
		{Name: "output", Data: net(layer("o", "HDF5Output", Sub(113, Str(1, "out.h5")))), Worst: scan.SeveritySuspicious},
		{Name: "text", Data: []byte("# a net\nname: 'net'\nlayer { name: \"c\" type: \"Convolution\" convolution_param { kernel_size: [3, 3] weight_filler { std: -1e-2 } } }")},
		{Name: "old text", Data: []byte("input: \"data\"\ninput_dim: 1\nlayers {\n  name: \"c\"\n  type: CONVOLUTION\n}\n")},
		{Name: "text with Python", Data: []byte("layer { name: 'p' type: 'Python' python_param { module: 'm' layer: \"L\" param_str: \"__imp\" 'ort__(\\x27os\\047)' } }"), Worst: scan.SeveritySuspicious},
		{Name: "text with output", Data: []byte("layer < name: 'o' type: 'HDF5Output' hdf5_output_param: < file_name: '/home/u/.bashrc' > >"), Worst: scan.SeverityMalicious},
		{Name: "text cut short", Data: []byte("layer { name: 'o' type: 'ReLU' } layer { name: 'p"), Err: scan.ErrMalformed},
		{Name: "other text", Data: []byte("name: modelwall\nversion: 1.0\non:\n  - push\n"), Err: scan.ErrForeign},
		{Name: "cut short", Data: net(conv, Promise(100, 1000)), Err: scan.ErrMalformed},
		{Name: "a graph of TensorFlow", Data: Msg(Sub(1, Str(1, "x"), Str(2, "Const")), Sub(2, Sub(1, Sub(1, Str(1, "f"))))), Err: scan.ErrForeign},
	})
}

func FuzzScan(f *testing.F) {
	f.Add(net(layer("p", "Python", python("m", "X", "y")), Sub(2, Str(4, "a"), Int(5, 1))))
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, caffe.New(), data) })
}
