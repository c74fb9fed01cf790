package gateway

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	chronicleEvery = 2 * time.Second
	chronicleBatch = 1000
	maxChronicle   = 50_000          // what comes beyond is not booked
	lastChronicle  = 5 * time.Second // for the last batches, at the end
)

// Connection is one that a device had, or has.
type Connection struct {
	Device       uint64
	Began, Ended time.Time // Ended is zero while it is open
	Instance     string    // the gateway that has it
	Address      netip.Addr
	Reason       string // why it ended, of a closed set
}

// Chronicle gathers what happens to connections, and has Book write it down in batches.
// It is a history for people: what a crash takes, or a store that does not answer for
// long, is not in it.
type Chronicle struct {
	Book func(ctx context.Context, connections []Connection) error
	Log  *zap.Logger // nil discards

	mu      sync.Mutex
	waiting []Connection
}

// Note takes a connection that has begun, or ended. A nil *Chronicle keeps none.
func (c *Chronicle) Note(one Connection) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) < maxChronicle {
		c.waiting = append(c.waiting, one)
	}
}

// Run books until ctx ends, and then what is left.
func (c *Chronicle) Run(ctx context.Context) error {
	tick := time.NewTicker(chronicleEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.book(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastChronicle)
			defer cancel()
			c.book(last)
			return nil
		}
	}
}

func (c *Chronicle) book(ctx context.Context) {
	c.mu.Lock()
	list := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for len(list) > 0 {
		n := min(len(list), chronicleBatch)
		if err := c.Book(ctx, list[:n]); err != nil {
			if c.Log != nil {
				c.Log.Warn("the history of connections is late", zap.Int("entries", len(list)), zap.Error(err))
			}
			c.mu.Lock()
			c.waiting = append(list, c.waiting[:min(len(c.waiting), max(0, maxChronicle-len(list)))]...)
			c.mu.Unlock()
			return
		}
		list = list[n:]
	}
}
