package loadtest

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// stubborn is how long a server may leave a socket open that never speaks.
const stubborn = 30 * time.Second

// silent is sockets that never speak.
type silent struct {
	open    sync.WaitGroup
	mu      sync.Mutex
	over    int
	longest time.Duration // that one was left open
	left    int           // that were not closed at all
}

// openSilent connects n sockets that never speak. They end with the server's
// patience, or with ctx.
func openSilent(ctx context.Context, address string, n int) (*silent, error) {
	s := &silent{}
	for range n {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return s, err
		}
		s.open.Go(func() { s.stay(ctx, conn) })
	}
	return s, nil
}

// stay waits until the server closes the connection.
func (s *silent) stay(ctx context.Context, conn net.Conn) {
	opened := time.Now()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var b [1]byte
	over := conn.SetReadDeadline(opened.Add(stubborn))
	_, err := conn.Read(b[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over++
	s.longest = max(s.longest, time.Since(opened))
	var timeout net.Error
	if over != nil || err == nil || ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout() {
		s.left++
	}
}

// gone waits until all are closed.
func (s *silent) gone() (longest time.Duration, left int) {
	s.open.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.longest, s.left
}
