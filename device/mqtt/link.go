package mqtt

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errClosed = errors.New("the session was closed here")
	// errOver is what paho is told. It may not read like net.ErrClosed: paho would
	// take that for a wish of its own, and never say that the connection is lost.
	errOver = errors.New("the session is over")
)

// farewell is how long a DISCONNECT may take.
const farewell = time.Second

// link is the connection as paho sees it. It ends once, and says why; from then on
// writes go nowhere, and Read waits for quiet before it fails.
type link struct {
	*tls.Conn
	raw      net.Conn // under TLS: closing it waits for nothing
	silence  time.Duration
	patience time.Duration

	gate    gate // of the goroutine that reads
	open    atomic.Bool
	writing chan struct{} // holds one while nobody writes
	leaving atomic.Bool

	once   sync.Once
	err    error         // valid once broken is closed
	broken chan struct{} // closed by fail
	quiet  chan struct{} // closed when nobody hands anything to paho any more
}

func newLink(c *secured, u *Uplink) *link {
	l := &link{
		Conn: c.Conn, raw: c.raw, silence: u.KeepAlive + u.KeepAlive/2, patience: u.WriteTimeout,
		writing: make(chan struct{}, 1), broken: make(chan struct{}), quiet: make(chan struct{}),
	}
	l.writing <- struct{}{}
	return l
}

// fail ends the link; the first reason stands.
func (l *link) fail(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.broken)
		l.raw.Close()
	})
}

func (l *link) isBroken() bool {
	select {
	case <-l.broken:
		return true
	default:
		return false
	}
}

func (l *link) Read(p []byte) (int, error) {
	if l.open.Load() {
		l.Conn.SetReadDeadline(time.Now().Add(l.silence)) //nolint:errcheck // a closed connection says so below
	}
	n, err := l.Conn.Read(p)
	n, bad := l.gate.pass(p[:n])
	if bad != nil {
		err = bad
	}
	if l.gate.connected {
		l.open.Store(true)
	}
	if err != nil {
		l.fail(l.reason(err))
	}
	if n > 0 || err == nil {
		return n, nil
	}
	if l.gate.connected {
		<-l.quiet
	}
	return 0, errOver
}

func (l *link) reason(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("nothing has come from the gateway for %s: the network is gone, or it is", l.silence)
	case errors.Is(err, io.EOF) && l.gate.connected:
		return fmt.Errorf("the gateway closed the connection (a restart, a block, or another session of this device): %w", err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the gateway closed the connection before its CONNACK: %w", err)
	}
	return err
}

// Write never fails: what could not be sent has no confirmation, and that the link is
// broken is told where it is read. paho stops its goroutines at the first failure
// it sees, and that must not be while a message is being handed over.
func (l *link) Write(p []byte) (int, error) {
	<-l.writing
	defer func() { l.writing <- struct{}{} }()
	if l.leaving.Load() || l.isBroken() {
		return len(p), nil
	}
	l.write(p, l.patience)
	return len(p), nil
}

func (l *link) write(p []byte, patience time.Duration) {
	l.Conn.SetWriteDeadline(time.Now().Add(patience)) //nolint:errcheck // a closed connection says so below
	if l.leaving.Load() {                             // since just now: its shorter deadline counts
		l.Conn.SetWriteDeadline(time.Now().Add(farewell)) //nolint:errcheck // likewise
	}
	_, err := l.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("the network took nothing for %s", patience)
	}
	if err != nil {
		l.fail(fmt.Errorf("writing to the gateway: %w", err))
	}
}

// leave says DISCONNECT, if that can be said at once, and ends the link.
func (l *link) leave() {
	l.leaving.Store(true)
	if l.raw.SetWriteDeadline(time.Now().Add(farewell)) == nil { // hurries a write that is under way
		<-l.writing
		if !l.isBroken() {
			l.write([]byte{14 << 4, 0}, farewell)
		}
		l.writing <- struct{}{}
	}
	l.fail(errClosed)
}

// Close is paho's.
func (l *link) Close() error {
	l.fail(errClosed)
	return nil
}

// The deadlines are the link's own; while it is not open, Connect's.
func (*link) SetDeadline(time.Time) error      { return nil }
func (*link) SetReadDeadline(time.Time) error  { return nil }
func (*link) SetWriteDeadline(time.Time) error { return nil }
