package ingest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// watchEvery is how soon a changed file takes effect.
const watchEvery = 2 * time.Second

// watched is a file's parsed content, read again when it changes. What cannot be
// read or parsed changes nothing: the last good content stays in force.
type watched[T any] struct {
	path  string
	parse func([]byte) (T, error)
	raw   []byte // the watching goroutine's own
	value atomic.Pointer[T]
}

// watchFile reads the file for the first time.
func watchFile[T any](path string, parse func([]byte) (T, error)) (*watched[T], error) {
	w := &watched[T]{path: path, parse: parse}
	if _, err := w.read(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *watched[T]) current() *T { return w.value.Load() }

// read returns whether the content changed.
func (w *watched[T]) read() (bool, error) {
	raw, err := os.ReadFile(w.path)
	if err != nil {
		return false, err
	}
	if w.value.Load() != nil && bytes.Equal(raw, w.raw) {
		return false, nil
	}
	v, err := w.parse(raw)
	if err != nil {
		return false, fmt.Errorf("%s: %w", w.path, err)
	}
	w.raw = raw
	w.value.Store(&v)
	return true, nil
}

// watch reads the file again and again until ctx ends.
func (w *watched[T]) watch(ctx context.Context, log *zap.Logger) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := w.read()
		switch {
		case err != nil && !failing:
			log.Error("file is not read again, what it said before stays in force", zap.String("file", w.path), zap.Error(err))
		case changed:
			log.Info("file is in force", zap.String("file", w.path))
		}
		failing = err != nil
	}
}
