package sample

import (
	"encoding/binary"
	"hash/crc32"
	"unicode/utf16"
)

// Member is a file in an archive.
type Member struct {
	Name    string
	Content []byte
}

// Property ids of a 7z header (DOC/7zFormat.txt of the LZMA SDK).
const (
	szEnd = iota
	szHeader
	_ // archive properties
	_ // additional streams
	szMainStreams
	szFiles
	szPackInfo
	szUnpackInfo
	szSubStreams
	szSize
	szCRC
	szFolder
	szUnpackSize
	_ // number of unpack streams
	_ // empty stream
	_ // empty file
	_ // anti
	szNames
)

const szSignatureSize = 32

// szNumber is 7z's variable-length integer: the leading one bits of the first
// byte say how many more follow, its other bits are the highest.
func szNumber(b []byte, n uint64) []byte {
	extra := 0
	for extra < 8 && n >= 1<<(7*(extra+1)) {
		extra++
	}
	if extra == 8 {
		return binary.LittleEndian.AppendUint64(append(b, 0xff), n)
	}
	b = append(b, ^byte(0xff>>extra)|byte(n>>(8*extra)))
	for i := range extra {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// SevenZip is a 7z archive that stores its members uncompressed (coder Copy),
// each in a folder of its own. Every member must have content.
//
// A loader such as torch.load does not read 7z at all; nullifAI used it
// because scanners did not either.
func SevenZip(members ...Member) []byte {
	var packed []byte
	for _, m := range members {
		packed = append(packed, m.Content...)
	}
	header := szArchiveHeader(members)

	start := binary.LittleEndian.AppendUint64(nil, uint64(len(packed)))
	start = binary.LittleEndian.AppendUint64(start, uint64(len(header)))
	start = binary.LittleEndian.AppendUint32(start, crc32.ChecksumIEEE(header))

	archive := make([]byte, 0, szSignatureSize+len(packed)+len(header))
	archive = append(archive, '7', 'z', 0xbc, 0xaf, 0x27, 0x1c, 0, 4)
	archive = binary.LittleEndian.AppendUint32(archive, crc32.ChecksumIEEE(start))
	archive = append(archive, start...)
	archive = append(archive, packed...)
	return append(archive, header...)
}

func szArchiveHeader(members []Member) []byte {
	count := uint64(len(members))
	b := []byte{szHeader, szMainStreams, szPackInfo, 0} // packed streams begin at once
	b = szNumber(b, count)
	b = append(b, szSize)
	for _, m := range members {
		b = szNumber(b, uint64(len(m.Content)))
	}
	b = append(b, szEnd, szUnpackInfo, szFolder)
	b = szNumber(b, count)
	b = append(b, 0) // folders are described here, not in another stream
	for range members {
		b = append(b, 1, 1, 0) // one coder, its id takes one byte: Copy
	}
	b = append(b, szUnpackSize)
	for _, m := range members {
		b = szNumber(b, uint64(len(m.Content)))
	}
	b = append(b, szCRC, 1) // for all
	for _, m := range members {
		b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(m.Content))
	}
	b = append(b, szEnd)
	// One member for each folder is the default, so this part stays empty. It
	// might be left out, but some readers then look for all in the first folder.
	b = append(b, szSubStreams, szEnd)
	b = append(b, szEnd, szFiles)
	b = szNumber(b, count)
	names := []byte{0} // here, not in another stream
	for _, m := range members {
		for _, unit := range utf16.Encode([]rune(m.Name + "\x00")) {
			names = binary.LittleEndian.AppendUint16(names, unit)
		}
	}
	b = append(b, szNames)
	b = szNumber(b, uint64(len(names)))
	b = append(b, names...)
	return append(b, szEnd, szEnd)
}

// BrokenPickleSevenZip is what nullifAI looked like: a 7z archive, named like
// a model by whoever serves it, around a pickle that breaks behind its payload.
func BrokenPickleSevenZip() []byte {
	return SevenZip(Member{Name: "pytorch_model/data.pkl", Content: BrokenPickle()})
}
