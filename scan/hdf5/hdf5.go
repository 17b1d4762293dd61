// Package hdf5 reads HDF5 files as far as a loader reads them before it gets
// to the tensors: superblock, groups, links, attributes, and what data sets say
// about themselves.
//
// HDF5 is a file system in a file. A superblock at byte 0, or behind a user
// block at 512, 1024, 2048 and so on, points to the root group; a group lists
// links to object headers; an object header is a sequence of messages: type,
// extent, storage and filters of a data set, attributes. Keras keeps its models
// in it (.h5, and model.weights.h5 inside of .keras), PyTables and pandas their
// tables, MATLAB its v7.3 .mat files, netCDF4 and AnnData everything.
//
// What is dangerous. Attributes hold what a loader acts on: Keras builds a
// model from the JSON in "model_config", PyTables unpickles attributes and rows
// that look like pickles, hickle unpickles byte arrays. Whatever may be one of
// those is handed to the engine as a member. And the format itself reaches out
// of the file: external links and virtual data sets name other files, external
// storage makes any file of the machine the content of a data set
// (CVE-2026-1669 in Keras), a filter names a library that is loaded when data
// is read. An extent of terabytes without any data makes a loader allocate it
// (CVE-2026-0897).
//
// Numbers, the tensors, are not read: nothing in them is executed. Neither are
// the texts of a big string data set, except for a sample at its beginning.
//
// When the structure is damaged, the reader goes on with what it can reach and
// then searches the bytes for the configuration of a model.
//
// The format is specified in "HDF5 File Format Specification", versions 1.1 to
// 3.0, by The HDF Group.
package hdf5

import (
	"context"
	"errors"

	"modelwall/scan"
)

// Scanner inspects HDF5 files.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "hdf5" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: a superblock in the head, or a file so long
// that one can stand further behind.
func (*Scanner) Match(p scan.Probe) bool {
	return signatureIn(p.Head) >= 0 || p.Size > scan.HeadSize
}

// Looks implements scan.Looker.
func (*Scanner) Looks(size int64) [][2]int64 {
	return places(scan.HeadSize, min(size-int64(len(signature)), nearUserBlock))
}

// Scan implements scan.Scanner.
func (*Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	r := newReader(ctx, f)
	at, err := r.locate()
	if err != nil {
		return err
	}
	if at < 0 {
		return &scan.Error{Class: scan.ErrForeign, Reason: errors.New("no superblock")}
	}
	w := &walk{r: r, sink: s, seen: map[uint64]bool{}, handed: map[extent]bool{}, heaps: map[uint64][]heapObject{}}
	if err := w.run(ctx, at); err != nil {
		return err
	}
	if w.problem == nil {
		return nil
	}
	if err := w.search(ctx, at); err != nil {
		return err
	}
	return w.problem
}
