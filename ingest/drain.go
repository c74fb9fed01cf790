package ingest

import (
	"context"
	"sync/atomic"
	"time"
)

// activity knows when the last delivery came.
type activity struct {
	idle time.Duration
	last atomic.Int64 // ns
}

func newActivity(idle time.Duration) *activity {
	a := &activity{idle: idle}
	a.saw()
	return a
}

func (a *activity) saw() { a.last.Store(time.Now().UnixNano()) }

// wait returns when nothing has come for the idle time and quiet says that no
// fault is the reason, or when ctx ends.
func (a *activity) wait(ctx context.Context, quiet func() bool) {
	for {
		left := a.idle - time.Since(time.Unix(0, a.last.Load()))
		if left <= 0 {
			if quiet() {
				return
			}
			a.saw() // a whole idle time without a fault
			continue
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
