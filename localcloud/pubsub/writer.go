package pubsub

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// change is one request to the file. apply runs inside the transaction; settled
// learns the verdict when the transaction has ended, and before any later change
// is applied. Both run on the writer's goroutine.
type change struct {
	apply   func() error
	settled func(error)
}

// writer is the one that changes the file. It takes what has gathered while the
// last transaction ran and commits it as one: under load a commit is shared by
// many, alone it is immediate. A failed transaction fails every change in it.
type writer struct {
	store   *store
	changes chan change
	stopped chan struct{} // closed when nothing more will be applied
}

// The changes of one transaction at the most, and the length of the queue.
const maxGroup = 256

var errStopping = status.Error(codes.Unavailable, "the local Pub/Sub is stopping")

func newWriter(st *store) *writer {
	return &writer{store: st, changes: make(chan change, maxGroup), stopped: make(chan struct{})}
}

// run commits until ctx ends, then what is queued.
func (w *writer) run(ctx context.Context) error {
	defer close(w.stopped)
	for {
		select {
		case c := <-w.changes:
			w.commit(w.gather(c))
		case <-ctx.Done():
			for {
				select {
				case c := <-w.changes:
					w.commit(w.gather(c))
				default:
					return nil
				}
			}
		}
	}
}

func (w *writer) gather(first change) []change {
	group := []change{first}
	for len(group) < maxGroup {
		select {
		case c := <-w.changes:
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

func (w *writer) commit(group []change) {
	err := w.transact(group)
	if err != nil {
		err = status.Error(codes.Unavailable, w.store.explain(err).Error())
	}
	for _, c := range group {
		c.settled(err)
	}
}

func (w *writer) transact(group []change) error {
	ctx := context.Background() // a transaction is never left half way
	if _, err := w.store.write.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, c := range group {
		if err := c.apply(); err != nil {
			return w.rollBack(err)
		}
	}
	if _, err := w.store.write.ExecContext(ctx, "COMMIT"); err != nil {
		return w.rollBack(err)
	}
	return nil
}

// rollBack says why. That it fails itself is no news: SQLite has rolled back already
// after some errors, and the next BEGIN tells of all others.
func (w *writer) rollBack(why error) error {
	_, _ = w.store.write.ExecContext(context.Background(), "ROLLBACK")
	return why
}

// send queues a change. On an error settled is never called, as it may not be when
// the writer stops.
func (w *writer) send(ctx context.Context, c change) error {
	select {
	case w.changes <- c:
		return nil
	case <-w.stopped:
		return errStopping
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// do queues a change and waits for its verdict. committed, if any, runs first when
// the verdict is good. When ctx ends before, the change may still happen.
func (w *writer) do(ctx context.Context, apply func() error, committed func()) error {
	verdict := make(chan error, 1)
	err := w.send(ctx, change{apply, func(err error) {
		if err == nil && committed != nil {
			committed()
		}
		verdict <- err
	}})
	if err != nil {
		return err
	}
	select {
	case err := <-verdict:
		return err
	case <-w.stopped:
		select {
		case err := <-verdict:
			return err
		default:
			return errStopping
		}
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
