package demo

import (
	"context"
	"errors"
	"sync/atomic"

	"iotbridge/device"
	"iotbridge/device/spool"
)

// tap stands between one device's agent and its uplink. It spoils bodies, and books
// those that are confirmed.
type tap struct {
	device.Uplink
	fleet  *Fleet
	index  int
	books  *Books
	refuse atomic.Bool // the gateway has said that an operator must act
}

// Connect passes on, and remembers what the gateway answered.
func (t *tap) Connect(ctx context.Context, in device.Inbox) (device.Session, error) {
	s, err := t.Uplink.Connect(ctx, in)
	var refused *device.Refused
	t.refuse.Store(errors.As(err, &refused) && refused.Slow())
	if err != nil {
		return nil, err
	}
	return &tapped{s, t}, nil
}

type tapped struct {
	device.Session
	tap *tap
}

// Publish passes on what the device sends. It is in the books before the agent knows
// that it was confirmed, and may forget it.
func (s *tapped) Publish(topic string, body []byte, done func(error)) {
	m, reading := s.tap.fleet.Message(s.tap.index, body)
	if !reading {
		s.Session.Publish(topic, body, done)
		return
	}
	s.Session.Publish(topic, m.Data, func(err error) {
		if err == nil {
			s.tap.books.Enter(&m)
		}
		done(err)
	})
}

// counted is a spool whose readings are counted once they are durable.
type counted struct {
	*spool.Spool
	books *Books
}

func (c counted) Append(record []byte) (uint64, error) {
	number, err := c.Spool.Append(record)
	if err == nil {
		c.books.keep()
	}
	return number, err
}
