package gateway

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	signsEvery = 10 * time.Second
	maxSigns   = 100_000 // devices; what comes beyond is not booked
	signsBatch = 1000
	lastSigns  = 5 * time.Second // for the last batches, at the end
)

// Note books a sign of life. Those of one device are gathered, the later time
// wins, and reach the mailbox within seconds; those of a crash are lost.
func (b *Bridge) Note(s Sign) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, ok := b.signs[s.Device]
	if !ok && len(b.signs) >= maxSigns {
		return
	}
	if b.signs == nil {
		b.signs = map[uint64]Sign{}
	}
	b.signs[s.Device] = known.merge(s)
}

// heard completes the sign of a device that was heard just now.
func heard(a *Admission, s Sign) Sign {
	s.Device = a.Device.Number
	if a.Via != nil {
		s.Via, s.Gateway = time.Now(), a.Via.Key.Device
	}
	return s
}

func (s Sign) merge(o Sign) Sign {
	later := func(t *time.Time, u time.Time) bool {
		if !u.After(*t) {
			return false
		}
		*t = u
		return true
	}
	s.Device = o.Device
	later(&s.Heartbeat, o.Heartbeat)
	later(&s.Event, o.Event)
	later(&s.ConfigSend, o.ConfigSend)
	if later(&s.Error, o.Error) {
		s.ErrorStatus = o.ErrorStatus
	}
	if later(&s.Via, o.Via) {
		s.Gateway = o.Gateway
	}
	return s
}

// bookSigns hands the signs on until ctx ends, and then the last ones.
func (b *Bridge) bookSigns(ctx context.Context) {
	tick := time.NewTicker(signsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.book(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSigns)
			defer cancel()
			b.book(last)
			return
		}
	}
}

// book hands on what is there; what the mailbox does not take is noted again.
func (b *Bridge) book(ctx context.Context) {
	b.mu.Lock()
	signs := make([]Sign, 0, len(b.signs))
	for _, s := range b.signs {
		signs = append(signs, s)
	}
	b.signs = nil
	b.mu.Unlock()
	for len(signs) > 0 {
		n := min(len(signs), signsBatch)
		if err := b.Mailbox.Note(ctx, signs[:n]); err != nil {
			b.log().Warn("signs of life are late", zap.Int("devices", len(signs)), zap.Error(err))
			for _, s := range signs {
				b.Note(s)
			}
			return
		}
		signs = signs[n:]
	}
}
