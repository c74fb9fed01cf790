package mqtt

import (
	"context"
	"sync"
)

// sessions knows who speaks for a device here: one voice each, the latest claim's.
type sessions struct {
	mu       sync.Mutex
	voices   map[uint64]*voice
	claiming map[uint64]*claiming
}

// add makes v its device's voice and silences the one before. If there is a later
// claim already, v is silenced. since is s.changes from before v was admitted: if
// something changed meanwhile, v is looked at again.
func (s *Server) add(ctx context.Context, v *voice, since int64) {
	t := &s.sessions
	t.mu.Lock()
	stays, goes := v, t.voices[v.device]
	if goes != nil && goes.epoch > v.epoch {
		stays, goes = goes, v
	}
	if t.voices == nil {
		t.voices = map[uint64]*voice{}
	}
	t.voices[v.device] = stays
	if t.claimed(v.device) > v.epoch {
		goes = v
	}
	t.mu.Unlock()
	if goes != nil {
		goes.silence(ctx, takenOver)
	}
	if s.changes.Load() != since {
		s.look(ctx, []*voice{v}, revokedTime, false)
	}
}

// drop forgets v, unless another has taken its place.
func (t *sessions) drop(v *voice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.voices[v.device] == v {
		delete(t.voices, v.device)
	}
}

func (t *sessions) find(device uint64) *voice {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.voices[device]
}

// all returns those that a condition holds for.
func (t *sessions) all(which func(*voice) bool) (found []*voice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, v := range t.voices {
		if which(v) {
			found = append(found, v)
		}
	}
	return found
}
