package gatewayd

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// part runs until ctx ends, and returns when all that it started has ended.
type part func(ctx context.Context) error

// tiers runs all parts. When ctx ends, or any part fails, the first tier is told to
// end, and each other one when the tier above it has ended.
func tiers(ctx context.Context, all ...[]part) error {
	ctx, fail := context.WithCancel(ctx)
	defer fail()
	var ends []func() error
	for _, parts := range all {
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		var g errgroup.Group
		for _, p := range parts {
			g.Go(func() error {
				err := p(own)
				if err != nil {
					fail()
				}
				return err
			})
		}
		ends = append(ends, func() error {
			stop()
			return g.Wait()
		})
	}
	<-ctx.Done()
	var errs []error
	for _, end := range ends {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}
