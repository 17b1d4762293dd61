package sample

import (
	"archive/zip"
	"bytes"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Storage alignment of torch.save, which pads the extra field "FB" of each
// local header.
const torchAlignment = 64

// TorchZip is a zip as torch.save writes it since PyTorch 1.6: stored members
// archive/data.pkl, archive/byteorder, archive/data/0, ... and
// archive/version, each aligned to 64 bytes.
func TorchZip(pkl []byte, storages ...[]byte) []byte {
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	const descriptor = 16 // behind each member, written when the next one begins
	owed := 0
	add := func(name string, content []byte) {
		_ = zw.Flush() // all errors here are those of writing to memory: none
		start := b.Len() + owed + 30 + len(name) + 4
		owed = descriptor
		padding := (torchAlignment - start%torchAlignment) % torchAlignment
		extra := append([]byte{'F', 'B', byte(padding), 0}, strings.Repeat("Z", padding)...)
		w, _ := zw.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Extra: extra, Flags: 0x800})
		_, _ = w.Write(content)
	}
	add("archive/data.pkl", pkl)
	add("archive/byteorder", []byte("little"))
	for i, s := range storages {
		add("archive/data/"+itoa(i), s)
	}
	add("archive/version", []byte("3\n"))
	_ = zw.Close()
	return b.Bytes()
}

func checkpointTensors(size int) []Tensor {
	return []Tensor{
		{Name: "encoder.weight", Shape: []int32{int32(max(size/4/16, 1)), 16}},
		{Name: "encoder.bias", Shape: []int32{16}},
	}
}

func storagesOf(seed uint64, tensors []Tensor) [][]byte {
	storages := make([][]byte, 0, len(tensors))
	for i, t := range tensors {
		storages = append(storages, Floats(seed+uint64(i), int(t.elements())))
	}
	return storages
}

// Checkpoint is a clean PyTorch checkpoint with about size bytes of tensors.
func Checkpoint(seed uint64, size int) []byte {
	tensors := checkpointTensors(size)
	return TorchZip(StateDict(tensors...), storagesOf(seed, tensors)...)
}

// CheckpointMalicious looks like Checkpoint and loads the same tensors, but
// calls os.system first.
func CheckpointMalicious(seed uint64, size int) []byte {
	tensors := checkpointTensors(size)
	pkl := stateDict(payload(new(Assembler).Proto(2)).Pop(), tensors)
	return TorchZip(pkl, storagesOf(seed, tensors)...)
}
