// Package xet describes a plain file in the terms of Xet, the Hub's chunk
// storage, so that a client which speaks nothing else can be given a file that
// lies here whole and inspected.
//
// # What the protocol is
//
// A client names a file by its Xet hash and asks a CAS server for its
// reconstruction: a list of terms, each a range of chunks in a xorb, and for
// each xorb the URLs and byte ranges under which these chunks can be fetched.
// It fetches them from a transfer host, unpacks the chunks and joins the terms.
// A xorb is a sequence of chunks, each with a header of eight bytes: version 0,
// the packed length (24 bits, little endian), the compression scheme (0 is
// none), the length. A chunk has at most 128 KiB, a xorb about 64 MiB.
//
// # What this package makes of a file
//
// Every 32 MiB of the file are a Block: one xorb of 256 raw chunks. Nothing has
// to be computed from the content, neither chunk boundaries nor hashes: clients
// check lengths only, and the gate has checked the file's sha256. So all is
// arithmetic, a table for a file has one line per block, and serving a block
// takes the memory of one header.
//
// # What is dangerous in it
//
// The answers decide what a client writes at which offset. Lengths are
// therefore derived from the size that was proven, and from nothing that a
// request says. A xorb's hash is the key of the chunk cache that clients keep
// on disk, so it must differ wherever the content does; it is made of the
// file's hash and the block's number, in a domain of its own.
//
// # Where it is specified
//
// https://huggingface.co/docs/xet; the readers are huggingface/xet-core
// (xet_client, xet_data) and huggingface.js (packages/hub, XetBlob).
package xet

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

const (
	// ChunkSize is the content of every chunk but a file's last, in bytes: the
	// most that clients take.
	ChunkSize = 128 << 10
	// HeaderSize is what stands before a chunk, in bytes.
	HeaderSize = 8
	// BlockSize is the content of every block but a file's last, in bytes.
	// Clients hold whole blocks in memory, several at a time.
	BlockSize = 32 << 20
)

// ValidHash reports whether s can be the Xet hash of a file: 64 hex digits.
func ValidHash(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 2*sha256.Size
}

// File is a file as Xet knows it.
type File struct {
	Hash string // a ValidHash
	Size int64  // bytes
}

// Blocks is how many blocks the file has; none if it is empty.
func (f File) Blocks() int64 { return (f.Size + BlockSize - 1) / BlockSize }

// Block returns the block with number n, and false if there is no such.
func (f File) Block(n int64) (Block, bool) {
	if n < 0 || n >= f.Blocks() {
		return Block{}, false
	}
	return Block{File: f, Number: n}, true
}

// Block is a stretch of a file that is presented as one xorb.
type Block struct {
	File   File
	Number int64
}

// Start is where the block's content begins in the file.
func (b Block) Start() int64 { return b.Number * BlockSize }

// Length is the length of the block's content, in bytes.
func (b Block) Length() int64 { return min(BlockSize, b.File.Size-b.Start()) }

// Chunks is how many chunks the block has.
func (b Block) Chunks() int64 { return (b.Length() + ChunkSize - 1) / ChunkSize }

// Framed is the length of the xorb: of the content with the chunks' headers.
func (b Block) Framed() int64 { return b.framed(b.Chunks()) }

// framed is where chunk n begins in the xorb, or the xorb's length for the
// number behind the last.
func (b Block) framed(n int64) int64 { return min(n*ChunkSize, b.Length()) + n*HeaderSize }

// Hash is the name of the xorb, 64 hex digits.
func (b Block) Hash() string {
	h := sha256.New()
	h.Write([]byte("modelwall xorb\x00" + strings.ToLower(b.File.Hash)))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(b.Number)))
	return hex.EncodeToString(h.Sum(nil))
}

// header is what stands before a chunk of n bytes.
func header(n int64) [HeaderSize]byte {
	l := [3]byte{byte(n), byte(n >> 8), byte(n >> 16)}
	return [HeaderSize]byte{0, l[0], l[1], l[2], 0, l[0], l[1], l[2]}
}
