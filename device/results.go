package device

import "sync"

// results gathers what became of publishes, from any goroutine.
type results struct {
	wake chan struct{}

	mu  sync.Mutex
	all []result
}

type result struct {
	ticket uint64
	err    error
}

func newResults() *results { return &results{wake: make(chan struct{}, 1)} }

func (r *results) add(ticket uint64, err error) {
	r.mu.Lock()
	r.all = append(r.all, result{ticket, err})
	r.mu.Unlock()
	signal(r.wake)
}

func (r *results) take() []result {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}
