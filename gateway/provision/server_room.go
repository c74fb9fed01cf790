package provision

import (
	"context"
	"net/netip"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	maxBodies = 512           // that are read or worked on at once, of boards, and of devices
	maxShare  = maxBodies / 4 // of them of one network: who sends slowly holds up no others
)

// room bounds the requests that are under way, in all and of each network.
type room struct {
	all *semaphore.Weighted

	mu sync.Mutex
	of map[string]*share
}

type share struct {
	taken *semaphore.Weighted
	users int // who have it or wait for it
}

func newRoom() *room {
	return &room{all: semaphore.NewWeighted(maxBodies), of: map[string]*share{}}
}

// enter waits for a place until ctx ends; leave gives it back.
func (r *room) enter(ctx context.Context, from netip.Addr) (leave func(), err error) {
	key := network(from)
	r.mu.Lock()
	s := r.of[key]
	if s == nil {
		s = &share{taken: semaphore.NewWeighted(maxShare)}
		r.of[key] = s
	}
	s.users++
	r.mu.Unlock()
	forget := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(r.of, key)
		}
	}
	if err := s.taken.Acquire(ctx, 1); err != nil {
		forget()
		return nil, err
	}
	if err := r.all.Acquire(ctx, 1); err != nil {
		s.taken.Release(1)
		forget()
		return nil, err
	}
	return func() {
		r.all.Release(1)
		s.taken.Release(1)
		forget()
	}, nil
}
