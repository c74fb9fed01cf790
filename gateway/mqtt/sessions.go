package mqtt

import (
	"context"
	"sync"

	"go.uber.org/zap"
)

// sessions knows who speaks for a device here: one voice each, the latest claim's.
type sessions struct {
	mu     sync.Mutex
	voices map[uint64]*voice
}

// add makes v its device's voice and silences the one before. If a later claim is
// there already, v is silenced.
func (t *sessions) add(ctx context.Context, v *voice) {
	t.mu.Lock()
	before := t.voices[v.device]
	if before != nil && before.epoch > v.epoch {
		before, v = v, before
	}
	if t.voices == nil {
		t.voices = map[uint64]*voice{}
	}
	t.voices[v.device] = v
	t.mu.Unlock()
	if before != nil {
		before.silence(ctx, takenOver)
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

// release ends a claim. If it cannot, the next claim ends it.
func (s *Server) release(ctx context.Context, v *voice) {
	s.sessions.drop(v)
	s.errand(ctx, func(ctx context.Context) {
		if err := s.Bus.Release(ctx, v.device, v.epoch); err != nil {
			s.Log.Warn("a claim is not released", zap.Uint64("device", v.device), zap.Error(err))
		}
	})
}
