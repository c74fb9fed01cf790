package mqtt

import (
	"context"

	"go.uber.org/zap"
)

// claiming is a device between its claim here and its voice: a later claim elsewhere
// may be announced in between.
type claiming struct {
	callers int
	latest  int64 // claim elsewhere
}

// claim claims a device; add must follow when it succeeds.
func (s *Server) claim(ctx context.Context, device uint64) (epoch int64, err error) {
	t := &s.sessions
	t.mu.Lock()
	c := t.claiming[device]
	if c == nil {
		if t.claiming == nil {
			t.claiming = map[uint64]*claiming{}
		}
		c = &claiming{}
		t.claiming[device] = c
	}
	c.callers++
	t.mu.Unlock()
	if epoch, err = s.Bus.Claim(ctx, device, s.Instance); err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.claimed(device)
	}
	return epoch, err
}

// claimed ends a claiming and returns the latest claim elsewhere; under mu.
func (t *sessions) claimed(device uint64) (latest int64) {
	c := t.claiming[device]
	if c == nil {
		return 0
	}
	if c.callers--; c.callers == 0 {
		delete(t.claiming, device)
	}
	return c.latest
}

// elsewhere notes that another gateway has claimed the device, and returns the voice
// that this silences.
func (t *sessions) elsewhere(device uint64, epoch int64) *voice {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.claiming[device]; c != nil {
		c.latest = max(c.latest, epoch)
	}
	if v := t.voices[device]; v != nil && v.epoch < epoch {
		return v
	}
	return nil
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
