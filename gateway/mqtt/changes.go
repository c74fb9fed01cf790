package mqtt

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/gateway"
)

const (
	watchPause = time.Second            // before the bus is watched again, and for it to begin
	stillPause = 200 * time.Millisecond // before an admission is asked for again
	lookers    = 8                      // admissions that are looked at again at a time
)

// watch acts on the bus's changes until ctx ends. What changed while it was not
// watched, at the start or after a failure, is found by looking at everything.
func (s *Server) watch(ctx context.Context) {
	for {
		s.running.Go(func() {
			if sleep(ctx, watchPause) {
				s.changed(ctx, gateway.Change{Kind: gateway.Resync})
			}
		})
		err := s.Bus.Watch(ctx, func(c gateway.Change) { s.changed(ctx, c) })
		if ctx.Err() != nil {
			return
		}
		s.Log.Error("changes are not seen", zap.Error(err))
		if !sleep(ctx, watchPause) {
			return
		}
	}
}

// changed acts on a change. It does not wait for the store.
func (s *Server) changed(ctx context.Context, c gateway.Change) {
	switch c.Kind {
	case gateway.DeviceChanged, gateway.RegistryChanged, gateway.Resync:
		s.changes.Add(1) // before the sessions are looked up: see add
	}
	v := s.sessions.find(c.Device)
	switch c.Kind {
	case gateway.CommandSent:
		if c.Instance == s.Instance {
			s.command(ctx, c.Command)
		}
	case gateway.Resync:
		s.look(ctx, s.sessions.all(func(*voice) bool { return true }), resyncedTime, true)
	case gateway.RegistryChanged:
		s.look(ctx, s.sessions.all(func(v *voice) bool { return v.admission.Device.Key.RegistryKey == c.Registry }), resyncedTime, false)
	case gateway.DeviceChanged:
		if v != nil && v == v.session.own { // of a gateway: bindings, too
			s.look(ctx, v.session.voices(), revokedTime, false)
		} else if v != nil {
			s.look(ctx, []*voice{v}, revokedTime, false)
		}
	case gateway.ConfigChanged:
		if v != nil {
			v.session.bring(ctx, v)
		}
	case gateway.Claimed:
		// Claims of this gateway are seen when the session is added.
		if c.Instance == s.Instance {
			return
		}
		if v := s.sessions.elsewhere(c.Device, c.Epoch); v != nil {
			v.silence(ctx, takenOver)
		}
	}
}

// look silences those that would not be admitted any more, and those of whom the
// store does not say so within patience. Missed says that other changes may have
// been missed, too.
func (s *Server) look(ctx context.Context, voices []*voice, patience time.Duration, missed bool) {
	if len(voices) == 0 {
		return
	}
	s.running.Go(func() {
		var g errgroup.Group
		g.SetLimit(lookers)
		for _, v := range voices {
			g.Go(func() error {
				if why := s.still(ctx, v, patience); why != "" {
					v.silence(ctx, why)
				} else if missed {
					s.catchUp(ctx, v)
				}
				return nil
			})
		}
		_ = g.Wait() // none of them fails
	})
}

// still returns why v must be silenced; "" that it need not.
func (s *Server) still(ctx context.Context, v *voice, patience time.Duration) gateway.Reason {
	deadline := time.Now().Add(patience)
	for {
		err := s.Bridge.Still(ctx, v.admission)
		var refusal *gateway.Refusal
		switch {
		case err == nil || ctx.Err() != nil || v.session.ended() != "":
			return ""
		case errors.As(err, &refusal) && !refusal.Fault:
			s.Log.Info("revoked", zap.Stringer("device", v.admission.Device.Key), zap.String("reason", string(refusal.Reason)))
			return revoked
		case time.Now().After(deadline):
			return storeFault
		}
		sleep(ctx, stillPause)
	}
}

// catchUp looks for what else v may have missed: another's claim, and a config.
func (s *Server) catchUp(ctx context.Context, v *voice) {
	instance, epoch, err := s.Bus.Holder(ctx, v.device)
	if err == nil && instance != s.Instance && epoch > v.epoch {
		v.silence(ctx, takenOver)
		return
	}
	v.session.bring(ctx, v)
}
