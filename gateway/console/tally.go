package console

import (
	"context"
	"sync"
	"time"

	"iotbridge/gateway"
)

// tallied is how long a count of all devices is good enough: it reads them all.
const tallied = 5 * time.Second

// counted is the latest count.
type counted struct {
	mu  sync.Mutex
	at  time.Time
	all map[string]gateway.Tally
}

// tally counts the devices of all registries, or returns what was counted just now.
func (c *Console) tally(ctx context.Context) (map[string]gateway.Tally, error) {
	c.counted.mu.Lock()
	defer c.counted.mu.Unlock()
	if c.counted.all != nil && time.Since(c.counted.at) < tallied {
		return c.counted.all, nil
	}
	all, err := c.Fleet.Tallies(ctx, c.Project, c.Location)
	if err == nil {
		c.counted.all, c.counted.at = all, time.Now()
	}
	return all, err
}
