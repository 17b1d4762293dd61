package zip

import (
	"bytes"
	"math"

	"modelwall/scan"
)

const (
	endLen     = 22
	end64Len   = 56
	locatorLen = 20
)

// endRecord is an end-of-central-directory record: where the directory is.
type endRecord struct {
	off     int64 // of the record
	until   int64 // end of the comment; past the file when that is cut off
	views   []view
	is64bit bool
}

// view is one way of reading an end record. The old record and its zip64
// counterpart are two, and readers differ in which they believe.
type view struct {
	count, size, start int64
	end                int64 // what the directory has to end at
	wide               bool  // count does not wrap at 65536
}

// findEnds returns all end records in the tail, in file order.
func (w *walk) findEnds() ([]endRecord, error) {
	from := max(0, w.size-scan.TailSize-locatorLen)
	tail, err := w.r.upTo(from, int(w.size-from))
	if err != nil {
		return nil, err
	}
	tail = bytes.Clone(tail)
	var ends []endRecord
	for i := 0; ; i++ {
		j := bytes.Index(tail[i:], []byte(sigEnd))
		if j < 0 || len(tail)-i-j < endLen {
			return ends, nil
		}
		i += j
		e := parseEnd(tail[i:], from+int64(i))
		if i >= locatorLen && string(tail[i-locatorLen:i-locatorLen+4]) == sigLocator64 {
			if err := w.addZip64(&e, tail[i-locatorLen:i]); err != nil {
				return nil, err
			}
		}
		ends = append(ends, e)
	}
}

func parseEnd(b []byte, off int64) endRecord {
	return endRecord{
		off:   off,
		until: off + endLen + int64(le.Uint16(b[20:])),
		views: []view{{
			count: int64(le.Uint16(b[10:])),
			size:  int64(le.Uint32(b[12:])),
			start: int64(le.Uint32(b[16:])),
			end:   off,
		}},
	}
}

// addZip64 adds the zip64 record that the locator names, and the one that
// stands directly before the locator, where Python takes it from. The old
// record goes on to count, even where it says to look elsewhere: for a reader
// that finds no zip64 record where it looks, it is the only one.
func (w *walk) addZip64(e *endRecord, locator []byte) error {
	at := e.off - locatorLen
	old := e.views
	e.views = nil
	named := le.Uint64(locator[8:])
	places := []int64{at - end64Len}
	if named < uint64(at) && int64(named) != places[0] {
		places = append(places, int64(named))
	}
	for _, off := range places {
		if ok, err := w.r.is(off, sigEnd64); err != nil {
			return err
		} else if !ok {
			continue
		}
		b, err := w.r.upTo(off, end64Len)
		if err != nil {
			return err
		}
		if len(b) < end64Len {
			continue
		}
		e.is64bit = true
		e.views = append(e.views, view{
			count: clamp(le.Uint64(b[32:])),
			size:  clamp(le.Uint64(b[40:])),
			start: clamp(le.Uint64(b[48:])),
			end:   off,
			wide:  true,
		})
		w.account(off, at)
	}
	e.views = append(e.views, old...)
	return nil
}

// clamp makes an offset or a length of v that arithmetic can not overflow.
func clamp(v uint64) int64 { return int64(min(v, math.MaxInt64/4)) }
