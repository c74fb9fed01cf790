package main

import (
	"cmp"
	"context"
	"errors"
)

// part is something that runs until it is ended. A nil part is not there.
type part struct {
	stop context.CancelFunc
	done chan struct{}
	err  error
}

// start starts a part that outlives ctx: parts end in their order, not together.
// failed learns why a part ended that nobody had told to.
func start(ctx context.Context, work func(context.Context) error, failed context.CancelCauseFunc) *part {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &part{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		err := work(ctx)
		if ctx.Err() == nil && failed != nil {
			failed(cmp.Or(err, errors.New("a part of the system has ended by itself")))
			return
		}
		p.err = err
	}()
	return p
}

// end ends the part, and returns its error if nobody has been told it.
func (p *part) end() error {
	if p == nil {
		return nil
	}
	p.stop()
	<-p.done
	err := p.err
	p.err = nil
	return err
}

// failure is why a part failed, or nil where the context ended for want of nothing.
func failure(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
