package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Serve lets devices in at l until ctx ends, and then returns when their sessions
// have ended: what is in flight is confirmed first, within Limits.Grace. It closes l.
// No failure to accept ends it, but that of a listener that somebody else closed.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if err := s.defaults(); err != nil {
		return err
	}
	var conns sync.WaitGroup
	s.running.Add(1)
	defer s.running.Done()
	defer conns.Wait()
	defer context.AfterFunc(ctx, func() { l.Close() })()

	var pause time.Duration
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			conns.Go(func() { s.serve(ctx, c) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("mqtt: %s: %w", l.Addr(), err)
		default: // EMFILE, ENOMEM, an aborted connection: it passes
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.Metrics.AcceptErrors.Inc()
			s.Log.Warn("cannot accept", zap.Stringer("listener", l.Addr()), zap.Duration("pause", pause), zap.Error(err))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// doorstep counts connections, in all and by address.
type doorstep struct {
	mu   sync.Mutex
	all  int
	from map[netip.Prefix]int
}

// enter counts a connection in, if there is room for it.
func (d *doorstep) enter(from netip.Prefix, limits *Limits) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= limits.Connections || d.from[from] >= limits.PerAddress {
		return false
	}
	if d.from == nil {
		d.from = map[netip.Prefix]int{}
	}
	d.all++
	d.from[from]++
	return true
}

func (d *doorstep) leave(from netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if d.from[from]--; d.from[from] == 0 {
		delete(d.from, from)
	}
}

// address is where a connection comes from; the zero one when that is no IP address.
func address(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// neighbourhood is what counts as one address: an IPv6 host may take any of its /64.
func neighbourhood(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // the zero prefix, of the zero address
	return p
}
