package data

import (
	"bytes"
	"context"
	"encoding/binary"

	"modelwall/scan"
)

var le = binary.LittleEndian

// maxSafetensors is the longest header that the safetensors library takes, in
// bytes.
const maxSafetensors = 100_000_000

// matchSafetensors: a length of at most five bytes and a JSON object.
func matchSafetensors(p scan.Probe) bool {
	return len(p.Head) >= 9 && p.Head[8] == '{' && le.Uint64(p.Head) < 1<<40
}

func scanSafetensors(ctx context.Context, in *input) error {
	head, err := in.head(8)
	if err != nil {
		return err
	}
	if len(head) < 8 {
		return foreign(0, "shorter than a header's length")
	}
	n := le.Uint64(head)
	switch {
	case n > maxSafetensors:
		return in.broken("safetensors", 0, "the header is longer than any loader takes")
	case n > uint64(in.Size-8):
		return in.broken("safetensors", 0, "the header is cut off")
	}
	var v validator
	ok, err := in.isJSON(ctx, &v, 8, 8+int64(n))
	if err == nil && !ok {
		return in.broken("safetensors", 8+v.at, "the header is not JSON")
	}
	return err
}

// broken reports a damaged header. No loader gets past one, so there is nothing
// suspicious in it, but neither was the file examined.
func (in *input) broken(format string, off int64, what string) error {
	in.finding(format+".broken", scan.Low, "broken-file", off, what)
	return scan.Malformed(off, "%s", what)
}

func matchGGUF(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte("GGUF")) }

func scanGGUF(_ context.Context, in *input) error {
	const headLen = 24 // magic, version, counts of tensors and keys
	head, err := in.head(headLen)
	if err != nil {
		return err
	}
	if len(head) < headLen {
		return in.broken("gguf", int64(len(head)), "the header is cut off")
	}
	little, big := le.Uint32(head[4:]), binary.BigEndian.Uint32(head[4:])
	if v := min(little, big); v < 1 || v > 3 {
		return in.broken("gguf", 4, "there is no such version")
	}
	return nil
}
