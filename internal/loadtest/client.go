package loadtest

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

const (
	connectTime = 30 * time.Second // for TCP, TLS and CONNACK together
	inflight    = 32               // messages of a device without PUBACK
)

// client is one device's connection. One goroutine publishes, another reads.
type client struct {
	conn   *tls.Conn
	packet []byte
	id     int // place of the packet id in packet
	next   int // place in sent
	// sent says when the message with the packet id one above the place was sent, in
	// nanoseconds since the crowd began; 0 is none.
	sent [inflight]atomic.Int64
}

// dial connects as the device and waits until the server has let it in.
func dial(ctx context.Context, address string, config *tls.Config, d *Device) (_ *client, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			raw.Close()
		}
	}()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if _, err := conn.Write(d.connect()); err != nil {
		return nil, fmt.Errorf("CONNECT: %w", err)
	}
	var answer [4]byte
	switch _, err := io.ReadFull(conn, answer[:]); {
	case err != nil:
		return nil, fmt.Errorf("CONNACK: %w", err)
	case answer[0] != connack || answer[1] != 2:
		return nil, fmt.Errorf("CONNACK: got %x", answer)
	case answer[3] != 0:
		return nil, fmt.Errorf("CONNACK %d: %s", answer[3], refusals[answer[3]])
	}
	c := &client{conn: conn}
	c.packet, c.id = d.publish(time.Now())
	return c, conn.SetDeadline(time.Time{})
}

// publish sends a message, unless as many are without PUBACK as may be.
func (c *client) publish(now int64) (sent bool, err error) {
	slot := &c.sent[c.next]
	if slot.Load() != 0 {
		return false, nil
	}
	slot.Store(now)
	c.next = (c.next + 1) % inflight
	id := c.next
	if id == 0 {
		id = inflight
	}
	binary.BigEndian.PutUint16(c.packet[c.id:], uint16(id))
	_, err = c.conn.Write(c.packet)
	return true, err
}

var errProtocol = errors.New("a packet that is no PUBACK of ours")

// read tells acked of each PUBACK when its message was sent, until the connection
// ends.
func (c *client) read(acked func(sent int64)) error {
	var buf [256]byte
	n := 0
	for {
		m, err := c.conn.Read(buf[n:])
		n += m
		rest := buf[:n]
		for ; len(rest) >= 4; rest = rest[4:] {
			id := int(binary.BigEndian.Uint16(rest[2:]))
			if rest[0] != puback || rest[1] != 2 || id == 0 || id > inflight {
				return errProtocol
			}
			sent := c.sent[id-1].Swap(0)
			if sent == 0 {
				return errProtocol
			}
			acked(sent)
		}
		n = copy(buf[:], rest)
		if err != nil {
			return err
		}
	}
}

// close says goodbye and ends the connection, and with it read.
func (c *client) close() {
	if c.conn.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		c.conn.Write([]byte{disconnect, 0}) //nolint:errcheck // it is gone either way
	}
	c.conn.Close()
}
