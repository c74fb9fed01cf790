package httpbridge

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"

	"google.golang.org/grpc/codes"
)

const (
	// maxBody bounds a body, as sent and as JSON: the largest payload in base64 with
	// room for escapes and spaces.
	maxBody = 1 << 20
	// Beyond freeBody, a compressed body may be maxRatio times as large as it was sent.
	maxRatio = 100
	freeBody = 64 << 10
)

var (
	errBodyTooLarge = refusal{codes.InvalidArgument, "body: larger than any request can be"}
	errEncoding     = refusal{codes.InvalidArgument, "Content-Encoding: want gzip, or none"}
	errGzip         = refusal{codes.InvalidArgument, "body: not gzip"}
	errRatio        = refusal{codes.InvalidArgument, "body: compressed more than a hundred times; send it as it is"}
	errCut          = refusal{codes.InvalidArgument, "body: not received whole, or not in time"}
	errCrowded      = refusal{codes.Unavailable, "too many requests at once"}
)

// body reads a request's body, decompressed. release gives back its room.
func (s *Server) body(r *http.Request) (text []byte, release func(), err error) {
	compressed := false
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip", "x-gzip":
		compressed = true
	default:
		return nil, nil, errEncoding
	}
	if r.ContentLength > maxBody {
		return nil, nil, errBodyTooLarge
	}
	room := int64(maxBody)
	if r.ContentLength >= 0 && !compressed {
		room = r.ContentLength
	}
	room = min(2*room, int64(s.Limits.BodyBytes)) // and as much again for what is decoded
	wait, cancel := context.WithTimeout(r.Context(), storeTime)
	defer cancel()
	if s.bodies.Acquire(wait, room) != nil {
		return nil, nil, errCrowded
	}
	if text, err = read(r.Body, compressed); err != nil {
		s.bodies.Release(room)
		return nil, nil, err
	}
	return text, func() { s.bodies.Release(room) }, nil
}

func read(body io.Reader, compressed bool) ([]byte, error) {
	sent := &counter{Reader: io.LimitReader(body, maxBody+1)}
	in := io.Reader(sent)
	if compressed {
		unzipped, err := gzip.NewReader(sent)
		if err != nil {
			return nil, errGzip
		}
		in = &expanding{Reader: unzipped, sent: sent}
	}
	text, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	switch {
	case len(text) > maxBody || sent.n > maxBody:
		return nil, errBodyTooLarge
	case errors.As(err, new(refusal)):
		return nil, err
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return nil, errGzip
	case err != nil:
		return nil, errCut
	}
	return text, nil
}

// counter counts what was sent.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// expanding ends what has grown out of proportion.
type expanding struct {
	io.Reader
	sent *counter
	n    int64
}

func (e *expanding) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	e.n += int64(n)
	if e.n > freeBody && e.n > maxRatio*e.sent.n {
		return n, errRatio
	}
	return n, err
}
