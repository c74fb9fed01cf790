package registry

import (
	"context"
	"sync"
)

// waiting is the commands that were sent from here and have no answer yet.
type waiting struct {
	mu   sync.Mutex
	sent map[string]chan error
}

// wait sends, and returns the answer.
func (w *waiting) wait(ctx context.Context, id string, send func() error) error {
	answer := make(chan error, 1)
	w.mu.Lock()
	if w.sent == nil {
		w.sent = map[string]chan error{}
	}
	w.sent[id] = answer
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.sent, id)
		w.mu.Unlock()
	}()
	if err := send(); err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *waiting) answered(id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if answer := w.sent[id]; answer != nil {
		select {
		case answer <- err:
		default: // answered before
		}
	}
}
