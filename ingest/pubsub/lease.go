package pubsub

import (
	"context"
	"math"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// The first extension comes soon: when a lease began is not known for certain, as a
// response may have waited in buffers, nor how long it is, as a service may grant
// less than it was asked for. Who is quick needs none.
const (
	firstExtension = time.Second
	leaseTick      = time.Second / 2
)

// track starts the lease of a frame that was received now.
func (s *Source) track(f *frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.received = time.Now()
	f.lease, f.due = f.received.Add(s.Deadline), f.received.Add(firstExtension)
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

// firstPublished is when the message was published that is the oldest of those that
// are not settled. Messages are read for it only where a frame is settled in part.
func (s *Source) firstPublished() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := int64(math.MaxInt64)
	for e := s.open.Front(); e != nil; e = e.Next() {
		f := e.Value.(*frame)
		if f.published >= first {
			continue
		}
		if f.left == f.Len() {
			first = f.published
			continue
		}
		for i := range f.spans {
			if f.isOpen(i) {
				_, at, _ := check(f.message(i))
				first = min(first, at)
			}
		}
	}
	if first == math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMicro(first)
}

// keepLeases extends leases until ctx ends. It shares nothing with the sending of
// settlements but a lock that is never held over a call.
func (s *Source) keepLeases(ctx context.Context) {
	tick := time.NewTicker(leaseTick)
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
	err    error
}

// extend extends each lease that is due, and then again when half of it is over.
// What fails is due after an eighth: that leaves time for three more tries.
func (s *Source) extend(ctx context.Context) {
	now := time.Now()
	var all []*extension
	var g errgroup.Group
	g.SetLimit(4)
	frames, next := s.due(now), 0
	for len(frames) > 0 {
		e := &extension{request: s.extensions.request()}
		if frames, next = s.gather(e, frames, next); e.ids > 0 {
			e.seal()
			all = append(all, e)
			g.Go(func() error {
				e.err = s.invoke(ctx, e.request, s.Deadline/6)
				e.free()
				return nil
			})
		}
	}
	_ = g.Wait() // each request keeps its own error
	s.renewed(now, all)
}

// due lists the frames whose lease is to be extended.
func (s *Source) due(now time.Time) []*frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	var frames []*frame
	for e := s.open.Front(); e != nil; e = e.Next() {
		if f := e.Value.(*frame); !f.due.After(now) {
			frames = append(frames, f)
		}
	}
	return frames
}

// gather fills e with what is open of frames, from message next of the first. It
// returns what did not fit.
func (s *Source) gather(e *extension, frames []*frame, next int) ([]*frame, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; len(frames) > 0; frames, next = frames[1:], 0 {
		f := frames[0]
		e.frames = append(e.frames, f)
		for i := next; i < f.Len(); i++ {
			if !f.isOpen(i) {
				continue
			}
			id := ackID(f.message(i))
			if e.full(id) {
				return frames, i
			}
			e.add(id)
		}
	}
	return nil, 0
}

// renewed books the answers. A frame whose messages were in two requests is due as
// the one that failed.
func (s *Source) renewed(now time.Time, all []*extension) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range all {
		if e.err == nil {
			s.Metrics.LeaseExtensions.Add(float64(e.ids))
			for _, f := range e.frames {
				f.lease, f.due = now.Add(s.Deadline), now.Add(s.Deadline/2)
			}
		}
	}
	for _, e := range all {
		if e.err != nil {
			s.Log.Warn("leases were not extended", zap.String("subscription", s.Subscription), zap.Int("messages", e.ids), zap.Error(bounded(e.err)))
			for _, f := range e.frames {
				f.due = now.Add(s.Deadline / 8)
			}
		}
	}
}
