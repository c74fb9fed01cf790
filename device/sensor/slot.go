package sensor

import (
	"context"
	"time"
)

// A slot runs one measurement beside the caller, who may leave it when it hangs. It
// belongs to one goroutine.
type slot[T any] struct{ result chan T }

// start runs measure, unless an earlier one has not ended yet.
func (s *slot[T]) start(measure func() T) bool {
	if s.busy() {
		return false
	}
	result := make(chan T, 1)
	s.result = result
	go func() { result <- measure() }()
	return true
}

// busy says whether a measurement is under way. The result of one that was left
// behind is dropped.
func (s *slot[T]) busy() bool {
	if s.result == nil {
		return false
	}
	select {
	case <-s.result:
		s.result = nil
		return false
	default:
		return true
	}
}

// wait returns the result, or false when ctx has ended without one.
func (s *slot[T]) wait(ctx context.Context) (T, bool) {
	select {
	case r := <-s.result:
		s.result = nil
		return r, true
	case <-ctx.Done():
	}
	select {
	case r := <-s.result: // both were ready
		s.result = nil
		return r, true
	default:
		var none T
		return none, false
	}
}

// patience is how long a sensor is waited for when the caller has more time. A test
// on a busy machine has more.
var patience = usualPatience

const usualPatience = 5 * time.Second

// within returns a context that ends before its parent, so that what was had can
// still be returned in time.
func within(parent context.Context) (context.Context, context.CancelFunc) {
	limit := patience
	if deadline, ok := parent.Deadline(); ok {
		limit = min(limit, time.Until(deadline)*9/10)
	}
	return context.WithTimeout(parent, limit)
}
