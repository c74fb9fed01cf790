package mqtt

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// client is a device that writes and reads its own bytes.
type client struct {
	t    testing.TB
	raw  net.Conn
	conn *tls.Conn
	in   *bufio.Reader
	wait time.Duration
}

// reply is a packet of the server.
type reply struct {
	head byte
	body []byte
}

const patience = time.Minute // for what must come; in a bubble 10 s, which are exact

func (s *site) dial() *client {
	s.t.Helper()
	c, err := dial(s.listen)
	if err != nil {
		s.t.Fatal(err)
	}
	c.t = s.t
	s.t.Cleanup(func() { c.raw.Close() })
	return c
}

func dial(l net.Listener) (*client, error) {
	var raw net.Conn
	var err error
	wait := patience
	if p, ok := l.(*pipes); ok {
		raw, err = p.dial()
		wait = 10 * time.Second
	} else {
		raw, err = net.Dial("tcp", l.Addr().String())
	}
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, clientTLS())
	return &client{raw: raw, conn: conn, in: bufio.NewReader(conn), wait: wait}, conn.Handshake()
}

// connect returns a client that was accepted.
func (s *site) connect(device string) *client {
	s.t.Helper()
	c := s.dial()
	c.send(connectPacket(clientID(device), device+"'s", 60))
	c.expect("\x20\x02\x00\x00")
	return c
}

func clientID(device string) string { return registryKey.String() + "/devices/" + device }

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next packet; io.EOF when the server has closed.
func (c *client) read() (reply, error) {
	c.conn.SetReadDeadline(time.Now().Add(c.wait))
	head, err := c.in.ReadByte()
	if err != nil {
		return reply{}, err
	}
	size, err := binary.ReadUvarint(c.in)
	if err != nil {
		return reply{}, err
	}
	body := make([]byte, size)
	_, err = io.ReadFull(c.in, body)
	return reply{head, body}, err
}

// expect reads so many bytes and compares them.
func (c *client) expect(want string) {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(c.wait))
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.in, got)
	if err != nil || string(got) != want {
		c.t.Fatalf("read %x, %v; want %x", got[:n], err, want)
	}
}

// closed says that the server closes the connection, and sends nothing before.
func (c *client) closed() {
	c.t.Helper()
	if r, err := c.read(); err == nil {
		c.t.Errorf("read %x %x; want the end", r.head, r.body)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Error("still open")
	}
}

// text is a length and bytes.
func text(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

// pack makes a packet of a first byte and parts of its body.
func pack(head byte, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	return append(binary.AppendUvarint([]byte{head}, uint64(len(body))), body...)
}

func connectPacket(id, token string, keepalive uint16) []byte {
	return pack(0x10, []byte("\x00\x04MQTT\x04\xc2"), binary.BigEndian.AppendUint16(nil, keepalive), text(id), text("unused"), text(token))
}

// publish is a PUBLISH of QoS 1, or 0 when the id is 0.
func publish(topic string, id uint16, data string) []byte {
	if id == 0 {
		return pack(0x30, text(topic), []byte(data))
	}
	return pack(0x32, text(topic), binary.BigEndian.AppendUint16(nil, id), []byte(data))
}

func puback(id uint16) string { return "\x40\x02" + string(binary.BigEndian.AppendUint16(nil, id)) }

// subscribe is a SUBSCRIBE to one filter.
func subscribe(id uint16, filter string, qos byte) []byte {
	return pack(0x82, binary.BigEndian.AppendUint16(nil, id), text(filter), []byte{qos})
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial() (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case p.conns <- a:
		return b, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
