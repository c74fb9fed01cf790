package pubsub

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"go.uber.org/zap"
)

// track starts the lease of a frame that was received now.
func (s *Source) track(f *frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.received = time.Now()
	f.lease = f.received.Add(s.Deadline)
	f.place = s.open.PushBack(f)
}

// oldest is when the oldest message was received that is not settled.
func (s *Source) oldest() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.open.Front(); e != nil {
		return e.Value.(*frame).received
	}
	return time.Time{}
}

// keepLeases extends leases until ctx ends. It shares nothing with the sending of
// settlements but a lock that is never held over a call.
func (s *Source) keepLeases(ctx context.Context) {
	// A lease is extended when less than half of it is left: three eighths at the
	// least are then left for the call, and for a second and third try.
	tick := time.NewTicker(s.Deadline / 8)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.extend(ctx)
		}
	}
}

// extension is one request and the frames whose messages it carries.
type extension struct {
	*request
	frames []*frame
}

// extend extends each lease that is half over. What fails is due again at the next
// tick.
func (s *Source) extend(ctx context.Context) {
	now := time.Now()
	var g errgroup.Group
	g.SetLimit(4)
	for _, e := range s.ending(now.Add(s.Deadline / 2)) {
		g.Go(func() error {
			defer e.free()
			if err := s.invoke(ctx, e.request, s.Deadline/6); err != nil {
				s.Log.Warn("leases were not extended",
					zap.String("subscription", s.Subscription), zap.Int("messages", e.ids), zap.Error(bounded(err)))
				return nil
			}
			s.Metrics.LeaseExtensions.Add(float64(e.ids))
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, f := range e.frames {
				f.lease = now.Add(s.Deadline)
			}
			return nil
		})
	}
	g.Wait()
}

// ending gathers the unsettled messages whose lease ends before t.
func (s *Source) ending(t time.Time) []*extension {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := modify(s.Subscription, s.Deadline)
	var all []*extension
	for e := s.open.Front(); e != nil; e = e.Next() {
		f := e.Value.(*frame)
		if f.lease.After(t) {
			continue
		}
		var last *extension
		for i := range f.spans {
			if !f.isOpen(i) {
				continue
			}
			id := ackID(f.message(i))
			if n := len(all); n == 0 || all[n-1].full(id) {
				all = append(all, &extension{request: c.request()})
			}
			if to := all[len(all)-1]; to != last {
				last = to
				last.frames = append(last.frames, f)
			}
			last.add(id)
		}
	}
	for _, e := range all {
		e.seal()
	}
	return all
}
