package xet

import (
	"strconv"
	"strings"
)

// Span is a range as Xet's answers have it.
type Span struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Term is a range of chunks of a xorb, the next piece of the file.
type Term struct {
	Hash           string `json:"hash"`
	UnpackedLength int64  `json:"unpacked_length"`
	Chunks         Span   `json:"range"` // the end is excluded
}

// FetchV1 is where a range of chunks can be fetched, in version 1.
type FetchV1 struct {
	Chunks Span   `json:"range"`
	URL    string `json:"url"`
	Bytes  Span   `json:"url_range"` // the end is included
}

// FetchV2 is the same in version 2, where one URL has several ranges.
type FetchV2 struct {
	URL    string    `json:"url"`
	Ranges []RangeV2 `json:"ranges"`
}

// RangeV2 is one range of a FetchV2.
type RangeV2 struct {
	Chunks Span `json:"chunks"` // the end is excluded
	Bytes  Span `json:"bytes"`  // the end is included
}

// Reconstruction is the answer to GET /v1|v2/reconstructions/{hash}. One of
// the two maps, by xorb hash, is set.
type Reconstruction struct {
	Offset    int64                `json:"offset_into_first_range"`
	Terms     []Term               `json:"terms"`
	FetchInfo map[string][]FetchV1 `json:"fetch_info,omitzero"`
	Xorbs     map[string][]FetchV2 `json:"xorbs,omitzero"`
}

// Reconstruct describes the bytes first to last (included) of a file, which
// have to lie in it, for version 1 or 2 of the protocol. A client can cut the
// first and the last term to whole chunks only. url returns the address of a
// block's xorb: a different one for each block, since clients take blocks with
// one address for one.
func (f File) Reconstruct(version int, first, last int64, url func(Block) string) Reconstruction {
	r := Reconstruction{Terms: []Term{}}
	if version == 1 {
		r.FetchInfo = map[string][]FetchV1{}
	} else {
		r.Xorbs = map[string][]FetchV2{}
	}
	if first > last {
		return r
	}
	r.Offset = first % ChunkSize
	for n := first / BlockSize; n <= last/BlockSize; n++ {
		b := Block{File: f, Number: n}
		chunks := Span{
			Start: max(first-b.Start(), 0) / ChunkSize,
			End:   min(last-b.Start(), b.Length()-1)/ChunkSize + 1,
		}
		bytes := Span{Start: b.framed(chunks.Start), End: b.framed(chunks.End) - 1}
		hash, address := b.Hash(), url(b)
		r.Terms = append(r.Terms, Term{
			Hash: hash, Chunks: chunks,
			UnpackedLength: min(chunks.End*ChunkSize, b.Length()) - chunks.Start*ChunkSize,
		})
		if version == 1 {
			r.FetchInfo[hash] = []FetchV1{{Chunks: chunks, URL: address, Bytes: bytes}}
		} else {
			r.Xorbs[hash] = []FetchV2{{URL: address, Ranges: []RangeV2{{Chunks: chunks, Bytes: bytes}}}}
		}
	}
	return r
}

// ParseRange reads the Range header of a request for a reconstruction:
// "bytes=a-b", or nothing for the whole file. It reports false for a range that
// begins behind the file's end, to which the answer is status 416, and for what
// is no such range. hf_xet asks for more than 63 bits can count when it wants
// all the rest.
func ParseRange(spec string, size int64) (first, last int64, ok bool) {
	if spec == "" {
		return 0, size - 1, true
	}
	spec, bytes := strings.CutPrefix(spec, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !bytes || !dash {
		return 0, 0, false
	}
	a, err := strconv.ParseUint(from, 10, 64)
	if err != nil || size <= 0 || a >= uint64(size) {
		return 0, 0, false
	}
	b := uint64(size - 1)
	if to != "" {
		asked, err := strconv.ParseUint(to, 10, 64)
		if err != nil || asked < a {
			return 0, 0, false
		}
		b = min(b, asked)
	}
	return int64(a), int64(b), true
}
