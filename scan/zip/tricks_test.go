package zip_test

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
)

// The archives whose lie needs more than a changed field.

func hide(it item) item {
	it.hidden = true
	return it
}

// prefixed puts bytes before an archive whose offsets do not know of them.
func prefixed(prefix string, items ...item) []byte {
	return append([]byte(prefix), archive(items...)...)
}

// moved puts bytes before an archive and moves the offsets.
func moved(prefix string, items ...item) []byte {
	l := write(items...)
	at := l.start
	var dir []byte
	for i, it := range items {
		dir = it.central.writeCentral(dir, l.locals[i]+uint32(len(prefix)), it.mode)
	}
	b := append([]byte(prefix), l.data[:at]...)
	b = append(b, dir...)
	return endRecord(b, len(items), len(dir), at+len(prefix), "")
}

// headless has no central directory.
func headless(items ...item) []byte {
	l := write(items...)
	return l.data[:l.start]
}

func splitMark(items ...item) []byte { return moved("PK\x07\x08", items...) }

func end64(b []byte, count, size, start int) []byte {
	at := len(b)
	b = append(b, "PK\x06\x06"...)
	b = le.AppendUint64(b, 44)
	b = append(b, 0x2d, 3, 0x2d, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, v := range []int{count, count, size, start} {
		b = le.AppendUint64(b, uint64(v))
	}
	b = append(b, "PK\x06\x07\x00\x00\x00\x00"...)
	b = le.AppendUint64(b, uint64(at))
	return le.AppendUint32(b, 1)
}

// wide has a zip64 end record; maxed leaves nothing in the old one.
func wide(maxed bool, items ...item) []byte {
	l := write(items...)
	b := end64(l.data, len(items), l.end-l.start, l.start)
	if maxed {
		return endRecord(b, 0xffff, 0xffffffff, 0xffffffff, "")
	}
	return endRecord(b, len(items), l.end-l.start, l.start, "")
}

// wideLie shows one directory to readers of zip64 and another to the rest.
func wideLie() []byte {
	evil, good := stored("evil", "evil"), stored("good", "good")
	l := write(evil, good)
	split := l.start + 46 + len("evil")
	b := end64(l.data, 1, l.end-split, split)
	return endRecord(b, 2, l.end-l.start, l.start, "")
}

// maxedCount shows one directory to those who believe the locator and another,
// inside a member and behind the zip64 record, to those who look for the zip64
// record right before the locator, find none and have only the old record: it
// has everything but the count.
func maxedCount() []byte {
	evil := stored("evil", "evil")
	text := "some notes "
	good := stored("good", text+string(evil.local.writeLocal(nil))+"evil")
	l := write(good)
	b := end64(l.data, 1, l.end-l.start, l.start)
	locator := b[len(b)-20:]
	start := len(b)
	b = evil.central.writeCentral(b, uint32(30+len("good")+len(text)), 0)
	comment := strings.Repeat("x", 60) + string(locator)
	le.PutUint16(b[start+32:], uint16(len(comment)))
	b = append(b, comment...)
	return endRecord(b, 0xffff, len(b)-start, start, "")
}

// echoed has a first central record of 76 bytes, which is what zip64 records
// take: the old end record, taken to stand right behind the directory, points
// to the second. With local, that reading finds a local header too.
func echoed(local bool) []byte {
	first, second := stored(strings.Repeat("n", 30), "first"), stored("b", "second")
	if local {
		// Where the second local header is looked for with the prefix.
		body := strings.Repeat("x", 76-30-len(second.central.name))
		evil := stored("evil", "evil")
		second = stored("b", body+string(evil.local.writeLocal(nil))+"evil")
	}
	return wide(false, first, second)
}

// twoDirectories: one where the end record says, another just before it.
func twoDirectories() []byte {
	evil := write(stored("evil", "evil"))
	b := evil.data
	at := len(b)
	good := stored("good", "good")
	b = good.local.writeLocal(b)
	b = append(b, "good"...)
	dir := good.central.writeCentral(nil, uint32(at-(len(b)-evil.start)), 0)
	b = append(b, dir...)
	return endRecord(b, 1, len(dir), evil.start, "")
}

func twoArchives() []byte {
	return append(archive(stored("evil", "evil")), archive(stored("good", "good"))...)
}

func endInComment() []byte {
	l := write(stored("a.bin", hello))
	return endRecord(l.data, 1, l.end-l.start, l.start, string(endRecord(nil, 0, 0, 0, "")))
}

func longComment() []byte {
	b := archive(stored("a.bin", hello))
	le.PutUint16(b[len(b)-2:], 9)
	return b
}

func counted(n int, items ...item) []byte {
	l := write(items...)
	return endRecord(l.data, n, l.end-l.start, l.start, "")
}

// overlapping lists one local header n times.
func overlapping(n int, body string) []byte {
	it := stored("m0", body)
	l := write(it)
	b := l.data[:l.start]
	for i := range n {
		it.central.name = fmt.Sprint("m", i)
		b = it.central.writeCentral(b, 0, 0)
	}
	return endRecord(b, n%(1<<16), len(b)-l.start, l.start, "")
}

func badSignature() []byte {
	l := write(stored("first", "first"), stored("a.bin", hello))
	l.data[l.locals[1]] = 'Q'
	return endRecord(l.data, 2, l.end-l.start, l.start, "")
}

func methodLie(t testing.TB) []byte {
	it := packed(t, "a.bin", hello, 8)
	it.central.method = 0
	it.central.size = it.central.packed
	it.local.size = it.local.packed // so that only the method differs
	it.local.crc = crc32.ChecksumIEEE(it.body)
	it.central.crc = it.local.crc
	return archive(it)
}

func sizeLie(t testing.TB) item {
	it := packed(t, "a.bin", hello, 8)
	it.local.size, it.central.size = 3, 3
	return it
}

func crcLie(t testing.TB) item {
	it := packed(t, "a.bin", hello, 8)
	it.local.crc, it.central.crc = 1, 1
	return it
}

func damaged(t testing.TB) item {
	it := packed(t, "a.bin", hello, 8)
	it.body[0] = 0xff // no such type of block
	return it
}

func unicodePath(name, other string) []byte {
	b := le.AppendUint16(nil, 0x7075)
	b = le.AppendUint16(b, uint16(5+len(other)))
	b = append(b, 1)
	b = le.AppendUint32(b, crc32.ChecksumIEEE([]byte(name)))
	return append(b, other...)
}

// local is a member that no directory knows.
func local(name, body string) []byte {
	it := stored(name, body)
	return append(it.local.writeLocal(nil), body...)
}

func hiddenInGap() []byte {
	it := stored("a.bin", hello)
	it.tail = append([]byte("some text "), local("h", "hid")...)
	return archive(it)
}

// hiddenInMember has a local header that ends its member early, where the
// next one stands.
func hiddenInMember() []byte {
	it := stored("a.bin", "front"+string(local("h", "hid")))
	it.local.packed, it.local.size = 5, 5
	return archive(it)
}

// hiddenInSlack has a local header behind the deflate stream, inside of what
// the directory gives the member.
func hiddenInSlack(t testing.TB) []byte {
	it := packed(t, "a.bin", hello, 8)
	inner := it
	it.body = append(it.body, descriptor(inner.central)...)
	it.body = append(it.body, local("h", "hid")...)
	it.central.packed = uint32(len(it.body))
	it.central.flags, it.local.flags = 8, 8
	it.local.crc, it.local.packed, it.local.size = 0, 0, 0
	return archive(it)
}
