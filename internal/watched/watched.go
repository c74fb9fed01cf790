// Package watched keeps a file's parsed content fresh.
package watched

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Every is how soon a changed file takes effect.
const Every = 2 * time.Second

// File is a file's parsed content, read again when it changes. What cannot be
// read or parsed changes nothing: the last good content stays in force. Nor does
// what is not the same a moment later: who writes it may not have finished.
type File[T any] struct {
	path  string
	parse func([]byte) (T, error)
	raw   []byte // in force; the watching goroutine's own
	next  []byte // read once, and not in force yet; nil is none
	value atomic.Pointer[T]
}

// Open reads the file for the first time.
func Open[T any](path string, parse func([]byte) (T, error)) (*File[T], error) {
	f := &File[T]{path: path, parse: parse}
	if _, err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Current is what the file says, or said when it was last sound.
func (f *File[T]) Current() T { return *f.value.Load() }

// read returns whether the content changed.
func (f *File[T]) read() (bool, error) {
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return false, err
	}
	if f.value.Load() != nil {
		if bytes.Equal(raw, f.raw) {
			f.next = nil
			return false, nil
		}
		if f.next == nil || !bytes.Equal(raw, f.next) {
			f.next = raw
			return false, nil
		}
	}
	v, err := f.parse(raw)
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.path, err)
	}
	f.raw, f.next = raw, nil
	f.value.Store(&v)
	return true, nil
}

// Watch reads the file again and again until ctx ends.
func (f *File[T]) Watch(ctx context.Context, log *zap.Logger) {
	tick := time.NewTicker(Every / 2)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := f.read()
		switch {
		case err != nil && !failing:
			log.Error("file is not read again, what it said before stays in force", zap.String("file", f.path), zap.Error(err))
		case changed:
			log.Info("file is in force", zap.String("file", f.path))
		}
		failing = err != nil
	}
}
