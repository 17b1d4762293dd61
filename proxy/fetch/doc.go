// Package fetch turns an upstream object into a random-access file while it is
// still arriving.
//
// A scanner wants io.ReaderAt and a size; an upstream offers an HTTP response
// that may take an hour, break, stall, or turn out to be something else. Start
// opens the upstream once, and an Object then fills a sparse local file, the
// spool, from two directions:
//
//	           0        front                                        size
//	spool      |#########|- - - - - - - - -|####|- - - - - - - -|######|
//	             stream >                   range                range
//
// The stream brings the content from the first byte to the last. A ReadAt just
// ahead of its front waits; one far ahead is answered by a range request of its
// own, so the central directory at the end of a 40 GB checkpoint is there one
// round trip later. A map of intervals says which bytes the spool holds. A
// byte that the map has is final: whoever brings it a second time has it
// compared, never overwritten, because a reader may have judged it already.
// A reader that knows what it is going to want says so (Expect), and gets many
// such pieces by one request.
//
// An object of which little may be wanted at first begins with its head alone
// (Options.Head): the stream waits there until the whole is wanted.
//
// Whatever order the bytes came in, the hashes are taken of the spool, front
// to back, behind the growing prefix.
//
// # What is dangerous
//
//   - Two contents spliced into one. A resumed or ranged answer must start
//     where it was asked to (Content-Range), have the same total size, and carry the
//     same ETag; a differing ETag is tolerated only when a hash is expected,
//     which then decides. Else the object fails with ErrChanged.
//   - Lengths that lie. More or fewer bytes than announced is ErrMismatch, and
//     nothing is allocated from an announced length: the spool is sparse.
//   - A coded body. Identity is asked for; an answer with a Content-Encoding is
//     not the object's bytes and is refused with ErrMismatch, not decoded.
//   - A body that ends without a length, chunks or HTTP/2 framing (HTTP/1.0
//     style) looks the same cut or whole. With a size or a hash expected a cut
//     is noticed; with neither the end is taken for the end, so callers should
//     promise what they know.
//   - A redirect to a host that the caller's token is not meant for. This
//     package follows none: HTTP uses a RoundTripper, and a 3xx is a
//     StatusError. Whoever builds the requests resolves redirects and decides
//     which host sees which header.
//
// # Errors
//
// The first failure is the object's for good: every read and Wait, running or
// later, answers with the same error. Until Wait has returned without error
// the bytes are only claimed to be the object: inspect them, do not vouch for
// them. A waiter whose own context ends leaves alone and disturbs nobody.
//
// Range requests, Content-Range, If-Range, strong and weak validators and
// Retry-After are specified in RFC 9110, sections 8.8, 10.2.3, 13 and 14.
package fetch
