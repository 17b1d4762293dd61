package data

import (
	"context"

	"modelwall/scan"
)

const hdf5Magic = "\x89HDF\r\n\x1a\n"

// matchUnsupported: a known signature, the beginning of a protobuf, or a file
// in which an HDF5 superblock may stand further behind.
func matchUnsupported(p scan.Probe) bool {
	if _, ok := carrier(p.Head); ok {
		return true
	}
	return protobufHead(p.Head) || p.Size > scan.HeadSize
}

// nearUserBlock bounds, in bytes, where a superblock is looked for in a file that
// another scanner owns. HDF5 looks at every power of two up to the end; in a
// checkpoint that is still arriving each of those is a round trip. The answer
// must not depend on the file's name: verdicts are kept by content.
const nearUserBlock = 1 << 20

func scanUnsupported(ctx context.Context, in *input) error {
	what, err := in.unsupported(ctx)
	if err != nil {
		return err
	}
	if what == "" {
		return foreign(0, "no known signature")
	}
	in.finding("data.unsupported", scan.Low, "unsupported-format", 0, what+" can carry code and is not examined yet")
	return scan.Limit(0, "no scanner for %s yet", what)
}

// unsupported names the format that nothing here can judge, "" for none.
func (in *input) unsupported(ctx context.Context) (string, error) {
	head, err := in.head(scan.HeadSize)
	if err != nil {
		return "", err
	}
	if name, ok := carrier(head); ok {
		return name, nil
	}
	magic := make([]byte, len(hdf5Magic))
	last := in.Size - int64(len(magic))
	if owned(head) {
		last = min(last, nearUserBlock)
	}
	for off := int64(scan.HeadSize); off <= last; off *= 2 {
		if err := in.read(magic, off); err != nil {
			return "", err
		}
		if string(magic) == hdf5Magic {
			return "HDF5", nil
		}
	}
	if !protobufHead(head) {
		return "", nil
	}
	m, err := in.protobuf(ctx)
	if err != nil || !m.valid || m.pieces {
		return "", err
	}
	return "a protobuf model (ONNX, TensorFlow, Core ML, Caffe or Paddle)", nil
}

// matchOpaque: bytes that no other scanner certainly claims.
func matchOpaque(p scan.Probe) bool { return p.Size > 0 && !owned(p.Head) }

func scanOpaque(ctx context.Context, in *input) error {
	head, err := in.head(scan.HeadSize)
	if err != nil {
		return err
	}
	if looksText(scan.Probe{Size: in.Size, Head: head}) {
		text, err := in.isText(ctx)
		if err != nil {
			return err
		}
		if text {
			return foreign(0, "text")
		}
	}
	return nil
}
