package hdf5

import (
	"modelwall/scan"
)

// The types of message that the walk looks at.
const (
	msgDataspace    = 0x01
	msgLinkInfo     = 0x02
	msgDatatype     = 0x03
	msgLink         = 0x06
	msgExternal     = 0x07
	msgLayout       = 0x08
	msgFilters      = 0x0b
	msgAttribute    = 0x0c
	msgSharedTable  = 0x0f
	msgContinuation = 0x10
	msgSymbolTable  = 0x11
	msgAttrInfo     = 0x15
)

// message is one message of an object header.
type message struct {
	kind   int
	shared bool // the body says where the message is
	body   []byte
	off    int64 // of the body in the file
}

func (r *reader) body(m message) *cursor { return r.cursor(m.body, m.off) }

// Bounds of one object header. The library makes a chunk for every few
// attributes, and moves them into a heap when there are more than eight or so;
// files of version 1 can not, and have as many as they like.
const (
	maxChunks   = 1 << 14
	maxMessages = 1 << 18
)

// chunk is one piece of an object header.
type chunk struct {
	addr uint64
	n    int64
}

// header returns the messages of the object header at addr.
func (r *reader) header(addr uint64) ([]message, error) {
	room, err := r.room(addr, 16)
	if err != nil {
		return nil, err
	}
	c, err := r.block(addr, min(room, 64))
	if err != nil {
		return nil, err
	}
	if string(c.b[:4]) == "OHDR" {
		return r.headerV2(addr, c)
	}
	if version := c.u8(); version != 1 {
		return nil, scan.Malformed(c.off, "object header version %d", version)
	}
	c.skip(1 + 2 + 4) // the number of messages: the chunks know better
	first := chunk{addr + 16, c.u32()}
	return r.messages([]chunk{first}, func(c *cursor) message {
		m := message{kind: c.u16()}
		n := c.u16()
		m.shared = c.u8()&2 != 0
		c.skip(3)
		m.off = c.off
		m.body = c.take(n)
		return m
	}, 8, "", 0)
}

// room is how many bytes the file has from addr on; at least n.
func (r *reader) room(addr uint64, n int64) (int64, error) {
	off, err := r.place(addr, n)
	return r.f.Size - off, err
}

func (r *reader) headerV2(addr uint64, c *cursor) ([]message, error) {
	start := c.off
	c.skip(4)
	if version := c.u8(); version != 2 {
		return nil, scan.Malformed(c.off, "object header version %d", version)
	}
	flags := c.u8()
	if flags&0x20 != 0 {
		c.skip(16) // times
	}
	if flags&0x10 != 0 {
		c.skip(4) // bounds of attribute storage
	}
	n := c.uint(1 << (flags & 3))
	if err := c.err("an object header"); err != nil {
		return nil, err
	}
	if n > uint64(r.f.Size) {
		return nil, scan.Malformed(start, "an object header of %d bytes", n)
	}
	lead := 4
	if flags&4 != 0 {
		lead = 6 // with the creation order
	}
	first := chunk{addr + uint64(c.off-start), int64(n)}
	return r.messages([]chunk{first}, func(c *cursor) message {
		m := message{kind: c.u8()}
		n := c.u16()
		m.shared = c.u8()&2 != 0
		c.skip(lead - 4)
		m.off = c.off
		m.body = c.take(n)
		return m
	}, lead, "OCHK", 4)
}

// messages goes through the chunks. A continuation begins with sig and ends
// with tail bytes of checksum.
func (r *reader) messages(chunks []chunk, read func(*cursor) message, lead int, sig string, tail int64) ([]message, error) {
	var all []message
	for i := 0; i < len(chunks); i++ {
		if i > maxChunks {
			return all, scan.Limit(r.base, "an object header of more than %d chunks", maxChunks)
		}
		c, err := r.block(chunks[i].addr, chunks[i].n)
		if err != nil {
			return all, err
		}
		if i > 0 {
			if string(c.take(len(sig))) != sig {
				return all, scan.Malformed(c.off, "no %s where one has to be", sig)
			}
			c.b = c.b[:max(0, len(c.b)-int(tail))]
		}
		for len(c.b) >= lead {
			m := read(c)
			if c.bad {
				return all, scan.Malformed(m.off, "a message is cut off")
			}
			if len(all) >= maxMessages {
				return all, scan.Limit(m.off, "an object header of more than %d messages", maxMessages)
			}
			all = append(all, m)
			if m.kind == msgContinuation {
				b := r.body(m)
				next := chunk{b.address(), int64(min(b.size(), 1<<62))}
				if err := b.err("a continuation"); err != nil {
					return all, err
				}
				chunks = append(chunks, next)
			}
		}
	}
	return all, nil
}

// find returns the first message of a kind.
func find(messages []message, kind int) (message, bool) {
	for _, m := range messages {
		if m.kind == kind {
			return m, true
		}
	}
	return message{}, false
}
