package pubsub

import (
	"container/list"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"iotbridge/ingest"
)

// Source pulls one subscription over streams of its own. Set the fields before
// Pull, which is called once.
type Source struct {
	Conn         grpc.ClientConnInterface // see Dial
	Subscription string                   // projects/P/subscriptions/S
	Budget       *ingest.Budget           // of all sources

	// What the service may have sent and not seen settled: this source's share of
	// the budget. 0: all of it.
	MaxMessages, MaxBytes int

	Streams  int           // 0: 1
	Deadline time.Duration // a lease, 10 s to 600 s; 0: 60 s

	Metrics *ingest.Metrics // nil: none
	Holds   *ingest.Holds   // nil: none
	Log     *zap.Logger     // nil: none

	client      string // this worker's name for the service
	standing    standing
	exactlyOnce atomic.Bool

	mu            sync.Mutex
	open          *list.List // of *frame with messages to settle, in order of arrival
	acks, returns *outbox
	extensions    call

	closing   chan struct{} // closed: send what waits, and end
	endLeases context.CancelFunc
	endCalls  context.CancelFunc
	running   sync.WaitGroup
	unsent    atomic.Int64
}

// ackers is how many Acknowledge requests are in flight at the most.
const ackers = 2

// Pull hands deliveries over until ctx ends. Its only errors are wrong fields.
func (s *Source) Pull(ctx context.Context, deliver func(ingest.Delivery)) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	var g errgroup.Group
	for range s.Streams {
		g.Go(func() error {
			s.keepPulling(ctx, deliver)
			return nil
		})
	}
	return g.Wait()
}

// start completes the fields and starts what goes on until Close.
func (s *Source) start(ctx context.Context) error {
	switch {
	case s.Conn == nil || s.Budget == nil || s.Subscription == "":
		return errors.New("pubsub: a source needs a connection, a subscription and a budget")
	case s.closing != nil:
		return errors.New("pubsub: a source pulls once")
	}
	s.complete()
	if s.Deadline < 10*time.Second || s.Deadline > 600*time.Second {
		return fmt.Errorf("pubsub: a lease of %v: the service grants 10 s to 600 s", s.Deadline)
	}
	s.client = rand.Text()
	s.standing.begin(s)
	s.open = list.New()
	s.acks = newOutbox(&s.mu, acknowledge(s.Subscription))
	s.returns = newOutbox(&s.mu, modify(s.Subscription, 0))
	s.extensions = modify(s.Subscription, s.Deadline)
	s.Metrics.TrackOldest(s.oldest, s.firstPublished)

	ctx = context.WithoutCancel(ctx) // settlements outlive Pull
	var calls, leases context.Context
	calls, s.endCalls = context.WithCancel(ctx)
	leases, s.endLeases = context.WithCancel(calls)
	s.closing = make(chan struct{})
	for range ackers {
		s.running.Go(func() { s.post(calls, s.acks) })
	}
	s.running.Go(func() { s.post(calls, s.returns) })
	s.running.Go(func() { s.keepLeases(leases) })
	return nil
}

func (s *Source) complete() {
	if s.Streams == 0 {
		s.Streams = 1
	}
	if s.Deadline == 0 {
		s.Deadline = time.Minute
	}
	messages, bytes := s.Budget.Limits()
	if s.MaxMessages == 0 {
		s.MaxMessages = messages
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = bytes
	}
	if s.Metrics == nil {
		s.Metrics = ingest.NewMetrics(nil)
	}
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
}

// Ack tells the service to forget messages.
func (s *Source) Ack(receipts []ingest.Receipt) { s.settle(s.acks, receipts) }

// Return hands messages back for another delivery.
func (s *Source) Return(receipts []ingest.Receipt) { s.settle(s.returns, receipts) }

// Close sends the settlements that wait, and ends the leases.
func (s *Source) Close(ctx context.Context) error {
	if s.closing == nil {
		return nil // never pulled
	}
	s.endLeases()
	close(s.closing)
	stop := context.AfterFunc(ctx, s.endCalls)
	s.running.Wait()
	stop()
	s.endCalls()
	if n := s.unsent.Load(); n > 0 {
		return fmt.Errorf("%d settlements of %s could not be sent in time: the messages will be delivered again: %w", n, s.Subscription, context.Cause(ctx))
	}
	return nil
}

// route names the subscription where the service looks for it first.
func (s *Source) route(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", "subscription="+url.QueryEscape(s.Subscription))
}

var _ ingest.Source = (*Source)(nil)
