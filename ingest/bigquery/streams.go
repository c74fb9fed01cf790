package bigquery

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

var errClosed = errors.New("the sink is closed")

// cutGrace is how long an append may take to return after a cut.
const cutGrace = 5 * time.Second

// streams are the connections of one sink: at most so many in use, and those that
// are on their way out.
type streams struct {
	open func(*stream) error

	mu     sync.Mutex
	slots  []*stream            // nil: none yet
	alive  map[*stream]struct{} // not gone
	ends   sync.WaitGroup
	closed bool
}

func newStreams(n int, open func(*stream) error) *streams {
	return &streams{open: open, slots: make([]*stream, n), alive: map[*stream]struct{}{}}
}

// take returns the stream that has least to do, or one that nobody shares, and opens
// it if need be. The caller drops it.
func (s *streams) take(alone bool) (*stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if alone {
		st := s.start()
		st.load, st.retired = 1, true
		return st, nil
	}
	i := s.least()
	if s.slots[i] == nil {
		s.slots[i] = s.start()
	}
	s.slots[i].load++
	return s.slots[i], nil
}

// least prefers an open stream that idles to a new one, and a new one to a busy one.
func (s *streams) least() int {
	best, load := 0, math.MaxInt
	for i, st := range s.slots {
		switch {
		case st == nil && load > 0:
			best, load = i, 0
		case st != nil && st.load == 0:
			return i
		case st != nil && st.load < load:
			best, load = i, st.load
		}
	}
	return best
}

func (s *streams) start() *stream {
	st := newStream(s.open)
	s.alive[st] = struct{}{}
	s.ends.Add(1)
	return st
}

// drop gives a stream back, and retires it if it is spent; it tells whether it was
// in use until then.
func (s *streams) drop(st *stream, spent bool) (retired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.load--
	if spent && !st.retired {
		s.retire(st)
		return true
	}
	if st.retired && st.load == 0 {
		s.end(st)
	}
	return false
}

// retire takes a stream out of use; the last append on it ends it.
func (s *streams) retire(st *stream) {
	st.retired = true
	for i := range s.slots {
		if s.slots[i] == st {
			s.slots[i] = nil
		}
	}
	if st.load == 0 {
		s.end(st)
	}
}

func (s *streams) end(st *stream) {
	delete(s.alive, st)
	go func() {
		defer s.ends.Done()
		st.close()
	}()
}

// close returns true when all streams are gone. When ctx ends before, it cuts them
// and returns false.
func (s *streams) close(ctx context.Context) bool {
	s.mu.Lock()
	s.closed = true
	for _, st := range s.slots {
		if st != nil {
			s.retire(st)
		}
	}
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		s.ends.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return true
	case <-ctx.Done():
	}
	s.cutAll()
	select {
	case <-gone:
	case <-time.After(cutGrace):
	}
	return false
}

func (s *streams) cutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.alive {
		st.cut()
	}
}
