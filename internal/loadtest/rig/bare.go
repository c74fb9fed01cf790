package rig

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iotbridge/gateway"
)

// bare is as little as a server of devices can do: TLS, the token, and a PUBACK for
// each PUBLISH at once. It is a yardstick: it trusts what only our load sends it.
type bare struct {
	tls     *tls.Config
	project string
	keys    map[string]any // by client id
	serving sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil when it is over
}

const (
	greeting  = 10 * time.Second // for TLS and CONNECT
	bareRead  = 512              // bytes of buffer a connection; a packet must fit
	tokenSize = 4 << 10
)

var errBare = errors.New("not what the load sends")

func serveBare(ctx context.Context, l net.Listener, config *tls.Config, t Task, ready func() error) error {
	b := &bare{tls: config, project: t.Registry.Project, keys: map[string]any{}, conns: map[net.Conn]struct{}{}}
	for _, d := range t.Devices {
		key, err := jwt.ParseECPublicKeyFromPEM([]byte(d.PublicKey))
		if err != nil {
			return err
		}
		b.keys[d.String()] = key
	}
	if err := ready(); err != nil {
		return err
	}
	defer b.serving.Wait()
	defer b.end()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		b.serving.Go(func() { b.letIn(c) })
	}
}

// letIn takes TLS and CONNECT. The session has a goroutine of its own: that of a
// handshake has grown.
func (b *bare) letIn(c net.Conn) {
	conn := tls.Server(c, b.tls)
	if !b.enter(c) {
		return
	}
	err := c.SetDeadline(time.Now().Add(greeting))
	if err == nil {
		err = b.greet(conn)
	}
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		b.leave(c)
		return
	}
	b.serving.Go(func() {
		defer b.leave(c)
		confirm(conn)
	})
}

func (b *bare) enter(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		c.Close()
		return false
	}
	b.conns[c] = struct{}{}
	return true
}

func (b *bare) leave(c net.Conn) {
	c.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
}

func (b *bare) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.Close()
	}
	b.conns = nil
}

// greet answers a CONNECT whose token is the device's.
func (b *bare) greet(conn *tls.Conn) error {
	buf := make([]byte, tokenSize)
	n := 0
	var body []byte
	for {
		m, err := conn.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
		if _, body, _ = cut(buf[:n]); body != nil {
			break
		}
	}
	const words = 10 // MQTT, level, flags and keepalive
	client, user, token := "", "", ""
	if len(body) < words || !texts(body[words:], &client, &user, &token) {
		return errBare
	}
	if _, ok := gateway.ParseDeviceKey(client); !ok {
		return errBare
	}
	_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return b.keys[client], nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience(b.project), jwt.WithExpirationRequired())
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte{0x20, 2, 0, 0})
	return err
}

// texts cuts strings, each behind its length.
func texts(b []byte, to ...*string) bool {
	for _, s := range to {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return false
		}
		n := int(binary.BigEndian.Uint16(b))
		*s, b = string(b[2:2+n]), b[2+n:]
	}
	return true
}

// confirm answers each PUBLISH at once, in one write what was read in one.
func confirm(conn *tls.Conn) {
	buf := make([]byte, bareRead)
	var out []byte
	n := 0
	for {
		m, err := conn.Read(buf[n:])
		if err != nil {
			return
		}
		n += m
		rest := buf[:n]
		out = out[:0]
		for {
			first, body, after := cut(rest)
			if body == nil {
				break
			}
			rest = after
			if first != 0x32 || len(body) < 2 {
				return
			}
			id := 2 + int(binary.BigEndian.Uint16(body))
			if len(body) < id+2 {
				return
			}
			out = append(out, 0x40, 2, body[id], body[id+1])
		}
		if n = copy(buf, rest); n == len(buf) {
			return
		}
		if len(out) == 0 {
			continue
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// cut takes a packet off b; body is nil when more bytes are needed.
func cut(b []byte) (first byte, body, rest []byte) {
	if len(b) < 2 {
		return 0, nil, b
	}
	size, n := binary.Uvarint(b[1:])
	if n <= 0 || uint64(len(b)-1-n) < size {
		return 0, nil, b
	}
	end := 1 + n + int(size)
	return b[0], b[1+n : end : end], b[end:]
}
