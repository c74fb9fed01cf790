package pubsub

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"iotbridge/localcloud/fault"
)

// Options changes what Open does. The zero value is good.
type Options struct {
	// Durable syncs the disk for every commit, so that a power cut too loses
	// nothing that was answered.
	Durable bool
	// Now is the clock of publish times, leases and retention; nil is time.Now.
	Now func() time.Time
	// Faults is what tests make fail; nil is nothing.
	Faults *fault.Injector
	// MinAckDeadline is the shortest deadline a subscription or a stream may ask
	// for; 0 is the service's 10 s.
	MinAckDeadline time.Duration
}

// Server is one Pub/Sub and its file.
type Server struct {
	pubsubpb.UnimplementedPublisherServer
	pubsubpb.UnimplementedSubscriberServer
	iampb.UnimplementedIAMPolicyServer

	opts     Options
	now      func() time.Time
	store    *store
	writer   *writer
	leases   atomic.Int64
	stopping chan struct{}

	admin sync.Mutex // one change of topics and subscriptions at a time

	mu            sync.RWMutex
	topics        map[string]*topic
	subscriptions map[string]*subscription
}

// topic is guarded by the server's mutex.
type topic struct {
	id            int64
	config        *pubsubpb.Topic // replaced, never changed
	subscriptions map[string]*subscription
}

// Open reads the file, or makes it. One process may have it open.
func Open(file string, opts Options) (*Server, error) {
	s := &Server{
		opts: opts, now: opts.Now, stopping: make(chan struct{}),
		topics: map[string]*topic{}, subscriptions: map[string]*subscription{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.opts.MinAckDeadline == 0 {
		s.opts.MinAckDeadline = 10 * time.Second
	}
	var err error
	if s.store, err = openStore(file, opts.Durable, s.now); err != nil {
		return nil, err
	}
	s.leases.Store(s.now().UnixMicro()) // above every lease of an earlier run
	if err := s.restore(context.Background()); err != nil {
		s.store.close()
		return nil, s.store.explain(err)
	}
	s.writer = newWriter(s.store)
	return s, nil
}

// ServerOptions is what the gRPC server needs to let the stock clients through:
// room for requests of 10 MB, and patience with their keepalive pings.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxRequestBytes + 1<<20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
}

// Register puts Publisher, Subscriber and the permission tests of IAM on g.
func (s *Server) Register(g *grpc.Server) {
	pubsubpb.RegisterPublisherServer(g, s)
	pubsubpb.RegisterSubscriberServer(g, s)
	iampb.RegisterIAMPolicyServer(g, s)
}

// Run writes and sweeps until ctx ends. Streams then end with UNAVAILABLE, what
// is queued is still committed, and later changes are refused. Nothing is
// answered before Run has begun.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		close(s.stopping)
		return nil
	})
	g.Go(func() error { return s.writer.run(ctx) })
	g.Go(func() error { return s.sweep(ctx) })
	return g.Wait()
}

// Close closes the file. It comes after Run and the gRPC server have ended.
func (s *Server) Close() error {
	s.store.close()
	return nil
}

func (s *Server) topic(name string) (*topic, error) {
	if err := checkName(name, topicName); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.topics[name]; t != nil {
		return t, nil
	}
	return nil, errNotFound(name)
}

func (s *Server) subscription(name string) (*subscription, error) {
	if err := checkName(name, subscriptionName); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if q := s.subscriptions[name]; q != nil {
		return q, nil
	}
	return nil, errNotFound(name)
}
