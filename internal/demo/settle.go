package demo

import (
	"context"
	"time"
)

// Settled waits until every message of the books has arrived somewhere, or ctx ends.
// It looks less and less often: a look reads the tables.
func (b *Books) Settled(ctx context.Context, t Tables, since time.Time) error {
	wait := 50 * time.Millisecond
	for {
		a, err := b.Reconcile(ctx, t, since)
		if err != nil || a.Lost == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, time.Second)
	}
}
