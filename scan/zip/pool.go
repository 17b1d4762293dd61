package zip

import (
	"compress/flate"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// maxDictionary is the most memory, in bytes, that a stream's header may make
// a decoder reserve. It covers every preset of the usual tools but the longest
// windows of zstd --ultra and --long.
const maxDictionary = 64 << 20

// pool keeps decoders whose memory the header of a stream decides on. A folder
// of a thousand tiny streams that each ask for the most would otherwise cost
// seconds for nothing but clearing memory.
type pool struct{ flate, xz, zstd sync.Pool }

func (p *pool) openFlate(r io.Reader) (io.Reader, error) {
	if z, ok := p.flate.Get().(flate.Resetter); ok {
		return z.(io.Reader), z.Reset(r, nil)
	}
	return flate.NewReader(r), nil
}

func (p *pool) openXZ(r io.Reader) (*xz.Reader, error) {
	if z, ok := p.xz.Get().(*xz.Reader); ok {
		return z, z.Reset(r)
	}
	return xz.NewReader(r, maxDictionary)
}

func (p *pool) openZstd(r io.Reader) (*zstd.Decoder, error) {
	if z, ok := p.zstd.Get().(*zstd.Decoder); ok {
		return z, z.Reset(r)
	}
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxDictionary))
}

// keep takes a decoder back, if it is one that is worth it.
func (p *pool) keep(dec io.Reader) {
	switch z := dec.(type) {
	case flate.Resetter:
		p.flate.Put(z)
	case *xz.Reader:
		p.xz.Put(z)
	case *zstd.Decoder:
		p.zstd.Put(z)
	}
}
