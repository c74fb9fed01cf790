package console

import (
	"context"
	"time"

	"iotbridge/gateway"
	"iotbridge/internal/memo"
)

const (
	// A count of all devices is good for so long, as it reads them all; that the store
	// does not count is known for less.
	tallied     = 5 * time.Second
	notTallied  = 2 * time.Second
	tallyWithin = 15 * time.Second
)

// counted is the latest count.
type counted = memo.Memo[struct{}, map[string]gateway.Tally]

// tally counts the devices of all registries, or returns what was counted just now.
func (c *Console) tally(ctx context.Context) (map[string]gateway.Tally, error) {
	return c.counted.Answer(ctx, struct{}{}, memo.Terms{Good: tallied, Bad: notTallied}, func(ctx context.Context) (map[string]gateway.Tally, error) {
		ctx, cancel := context.WithTimeout(ctx, tallyWithin)
		defer cancel()
		return c.Fleet.Tallies(ctx, c.Project, c.Location)
	})
}
