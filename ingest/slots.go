package ingest

import "sync"

// slots bounds how many requests are under way to one table, and learns the bound
// from the service: additive increase, multiplicative decrease.
type slots struct {
	free chan struct{} // receive to take a slot

	mu     sync.Mutex
	size   int
	owed   int // slots to be taken away when they come back
	streak int // successes since the size last changed
}

func newSlots(most int) *slots {
	s := &slots{free: make(chan struct{}, most), size: most}
	for range most {
		s.free <- struct{}{}
	}
	return s
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put()
}

// succeeded adds a slot after as many successes as there are slots.
func (s *slots) succeeded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streak++; s.streak < s.size || s.size == cap(s.free) {
		return
	}
	s.streak = 0
	s.size++
	s.put()
}

// throttled halves the slots. False: the caller's own is among those taken away, and
// it takes another before it sends again.
func (s *slots) throttled() (kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	half := max(s.size/2, 1)
	s.owed += s.size - half
	s.size, s.streak = half, 0
	if s.owed == 0 {
		return true
	}
	s.owed--
	return false
}

func (s *slots) put() {
	if s.owed > 0 {
		s.owed--
		return
	}
	s.free <- struct{}{}
}
