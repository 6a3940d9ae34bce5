package hookgate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxRatio is how many bytes a byte of a compressed body may unfold to. Text of providers stays far below it, and a bomb
// far above.
const maxRatio = 100

var (
	errNoGzip    = errors.New("the body is labelled gzip, and is not one that can be decompressed")
	errAfterGzip = errors.New("something follows the first member of the gzip body")
)

// zipped reports whether the body is to be decompressed once it is authenticated: the source wants that, and the one
// Content-Encoding is gzip, alone.
func (s *Source) zipped(req *Request) bool {
	codings := req.Header["Content-Encoding"]
	return s.Gzip && len(codings) == 1 && strings.EqualFold(strings.TrimSpace(codings[0]), "gzip")
}

// normalize has the request read. A compressed one is read from what it unfolds to; the request itself stays as it was
// sent, because that is what was signed and what is kept.
func (s *Source) normalize(req *Request, verdict Verdict) []*Event {
	if !s.zipped(req) {
		return s.Reader.Normalize(req, verdict)
	}
	body, err := unfold(req.Body, s.MaxBody)
	if err != nil {
		return []*Event{Quarantined(req.Body, err.Error())}
	}
	plain := *req
	plain.Body, plain.hasDigest = body, false
	req.plain = &plain
	return s.Reader.Normalize(&plain, verdict)
}

// unfold decompresses a body that is exactly one gzip member (RFC 1952), to at most so many bytes. A second member, which
// some programs read and some do not, is refused like anything else that follows.
func unfold(body []byte, most int64) ([]byte, error) {
	const reserved = 0xe0 // flags that a reader must not pass over, and the library does
	if len(body) > 3 && body[3]&reserved != 0 {
		return nil, errNoGzip
	}
	from := bytes.NewReader(body) // gives single bytes, so that nothing behind the member is taken
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, errNoGzip
	}
	z.Multistream(false)
	most = min(most, maxRatio*int64(len(body)))
	out, err := io.ReadAll(io.LimitReader(z, most+1))
	switch {
	case int64(len(out)) > most:
		return nil, fmt.Errorf("the gzip body unfolds to more than %d bytes: that is max_body, or %d times its own size", most, maxRatio)
	case err != nil:
		return nil, errNoGzip
	case from.Len() > 0:
		return nil, errAfterGzip
	}
	return out, nil
}
