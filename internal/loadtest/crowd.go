package loadtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// dialers is how many devices connect at a time.
const dialers = 64

// crowd is the fleet's connections.
type crowd struct {
	began   time.Time
	clients []*client
	window  atomic.Pointer[window]
	acked   atomic.Int64
	reading sync.WaitGroup

	mu      sync.Mutex
	leaving bool
	lost    int   // connections that ended before we left
	why     error // the first one
}

// window is when messages are sent whose latency counts, in nanoseconds since the
// crowd began.
type window struct {
	from, to int64
	latency  latency
}

func (c *crowd) now() int64 { return int64(time.Since(c.began)) }

// connect lets all devices in, so many a second; 0 is as fast as it goes.
func (l *Load) connect(ctx context.Context) (*crowd, error) {
	c := &crowd{began: time.Now(), clients: make([]*client, len(l.Devices))}
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(dialers, len(l.Devices)) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(l.Devices) || !l.turn(ctx, c.began, i) {
					return ctx.Err()
				}
				d := &l.Devices[i]
				dialed, err := dial(ctx, l.Address, l.TLS, d)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", l.Address, d.Device, err)
				}
				c.clients[i] = dialed
			}
		})
	}
	err := g.Wait()
	for _, dialed := range c.clients {
		if dialed != nil {
			c.reading.Go(func() { c.left(dialed.read(c.ack)) })
		}
	}
	if err != nil {
		c.leave()
		return nil, err
	}
	return c, nil
}

// turn waits until device i may connect; false when ctx ended.
func (l *Load) turn(ctx context.Context, began time.Time, i int) bool {
	if l.ConnectRate == 0 {
		return ctx.Err() == nil
	}
	return wait(ctx, time.Until(began.Add(time.Duration(i)*time.Second/time.Duration(l.ConnectRate))))
}

// wait returns false when ctx ended before the time.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// ack books a PUBACK of a message.
func (c *crowd) ack(sent int64) {
	c.acked.Add(1)
	if w := c.window.Load(); w != nil && w.from <= sent && sent < w.to {
		w.latency.add(time.Duration(c.now() - sent))
	}
}

// left books a connection that has ended.
func (c *crowd) left(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving {
		return
	}
	if c.lost++; c.why == nil {
		c.why = err
	}
}

// failure is what the server did to devices that it had let in.
func (c *crowd) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == 0 {
		return nil
	}
	return fmt.Errorf("the server ended %d of %d connections, the first with: %w", c.lost, len(c.clients), c.why)
}

// leave ends all connections.
func (c *crowd) leave() {
	c.mu.Lock()
	c.leaving = true
	c.mu.Unlock()
	for _, client := range c.clients {
		if client != nil {
			client.close()
		}
	}
	c.reading.Wait()
}
