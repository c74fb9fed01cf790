package registry

import (
	"context"
	"sync"

	"iotbridge/gateway"
)

// watchers are those that Watch. Each has a queue of its own, so that none waits for
// another; who is too slow for it is told to look at everything again.
type watchers struct {
	mu  sync.Mutex
	all map[*watcher]bool
}

type watcher struct {
	queue  chan gateway.Change
	missed chan struct{}
}

const maxQueue = 1024

func (w *watchers) watch(ctx context.Context, changed func(gateway.Change)) error {
	me := &watcher{make(chan gateway.Change, maxQueue), make(chan struct{}, 1)}
	w.mu.Lock()
	if w.all == nil {
		w.all = map[*watcher]bool{}
	}
	w.all[me] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.all, me)
		w.mu.Unlock()
	}()
	for {
		select {
		case c := <-me.queue:
			changed(c)
		case <-me.missed:
			changed(gateway.Change{Kind: gateway.Resync})
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *watchers) tell(changes ...gateway.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for to := range w.all {
		for _, c := range changes {
			if c.Kind != gateway.Resync {
				select {
				case to.queue <- c:
					continue
				default:
				}
			}
			select {
			case to.missed <- struct{}{}:
			default: // it will look already
			}
		}
	}
}
