package mqtt

import (
	"context"
	"errors"
	"net"

	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/sync/semaphore"
)

const (
	readBuffer = 1 << 10  // a connection's one buffer; larger packets have their own
	firstChunk = 16 << 10 // of a large packet; the rest is allocated as it comes
)

var (
	errMalformed = errors.New("malformed packet")
	errTooLarge  = errors.New("packet is too large")
)

// packet is one control packet. The body is good until the next is read.
type packet struct {
	packets.FixedHeader
	body []byte
}

// reader takes packets off a connection.
type reader struct {
	conn net.Conn
	buf  []byte // what was read and not yet taken is buf[r:w]
	r, w int

	first bool // the next packet is the first, which must be a CONNECT: no other is
}

func newReader(c net.Conn) *reader {
	return &reader{conn: c, buf: make([]byte, readBuffer), first: true}
}

// frame finds a packet's header at the front of b: how long it is and what length
// it tells. head is 0 when more bytes are needed.
func frame(b []byte) (head, size int, err error) {
	for i := 1; i < len(b); i++ {
		size |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i] < 0x80 {
			return i + 1, size, nil
		}
		if i == 4 {
			return 0, 0, errMalformed
		}
	}
	return 0, 0, nil
}

// whole reports whether the next packet needs no reading.
func (r *reader) whole() bool {
	head, size, err := frame(r.buf[r.r:r.w])
	return err != nil || head > 0 && head+size <= r.w-r.r
}

// next returns the next packet, and refuses one larger than limit before it takes
// memory for it. A packet that does not fit the buffer waits for its share of large,
// if that is given, and holds it until it has come.
func (r *reader) next(ctx context.Context, limit int, large *semaphore.Weighted) (p packet, err error) {
	var head, size int
	for {
		if head, size, err = frame(r.buf[r.r:r.w]); err != nil {
			return p, err
		}
		if head > 0 {
			break
		}
		if err = r.fill(); err != nil {
			return p, err
		}
	}
	if p.Decode(r.buf[r.r]) != nil || (p.Type == packets.Connect) != r.first {
		return p, errMalformed
	}
	if size > limit {
		return p, errTooLarge
	}
	p.Remaining, r.first = size, false
	r.r += head
	if size > len(r.buf) {
		if large != nil {
			if err = large.Acquire(ctx, int64(size)); err != nil {
				return p, err
			}
			defer large.Release(int64(size))
		}
		p.body, err = r.large(size)
		return p, err
	}
	for r.w-r.r < size {
		if err = r.fill(); err != nil {
			return p, err
		}
	}
	p.body = r.buf[r.r : r.r+size : r.r+size]
	r.r += size
	return p, nil
}

// fill reads once, into what is free behind what was read.
func (r *reader) fill() error {
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	n, err := r.conn.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	return err
}

// large reads a body that does not fit the buffer. It takes memory for no more than
// twice what has come.
func (r *reader) large(size int) ([]byte, error) {
	body := make([]byte, min(size, firstChunk))
	n := copy(body, r.buf[r.r:r.w])
	r.r, r.w = 0, 0
	for n < size {
		if n == len(body) {
			grown := make([]byte, min(size, 2*n))
			copy(grown, body)
			body = grown
		}
		m, err := r.conn.Read(body[n:])
		n += m
		if m == 0 && err != nil {
			return nil, err
		}
	}
	return body, nil
}
