package gatewayd

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// part runs until ctx ends, and returns when all that it started has ended.
type part func(ctx context.Context) error

// tiers runs parts. When ctx ends, or a part fails, the first tier is told to end, and
// each other one when the tier above it has ended.
func tiers(ctx context.Context, first []part, others ...[]part) error {
	ctx, fail := context.WithCancel(ctx)
	defer fail()
	below, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	lower := make(chan error, 1)
	go func() {
		if len(others) == 0 {
			lower <- nil
			return
		}
		defer fail()
		lower <- tiers(below, others[0], others[1:]...)
	}()
	err := together(ctx, first)
	stop()
	return errors.Join(err, <-lower)
}

// together runs parts until all have ended; one that fails ends the others.
func together(ctx context.Context, parts []part) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range parts {
		g.Go(func() error { return p(ctx) })
	}
	return g.Wait()
}
