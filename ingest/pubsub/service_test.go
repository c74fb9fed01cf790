package pubsub

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const subscription = "projects/p/subscriptions/s"

// service is a Subscriber with leases, whose answers a test scripts. Its generated
// types are the oracle of what this package writes and reads by hand.
type service struct {
	pubsubpb.UnimplementedSubscriberServer

	batch    int           // messages a response
	once     bool          // exactly-once delivery
	answers  int           // pings that are answered; -1: all
	grants   time.Duration // the first lease; 0: as asked
	padding  int           // bytes more in each ack id
	opening  func(n int) error
	before   func(n int, stream pubsubpb.Subscriber_StreamingPullServer) error // may send what it likes
	broken   func(ctx context.Context) error                                   // ends a stream
	acking   func(ctx context.Context, n int, r *pubsubpb.AcknowledgeRequest) error
	acked    func(n int, r *pubsubpb.AcknowledgeRequest) error // after the work
	modified func(ctx context.Context, n int, r *pubsubpb.ModifyAckDeadlineRequest) error

	mu                 sync.Mutex
	waiting            []*message
	leased             map[string]*message // by ack id
	done               map[string]int      // acknowledgements by message id
	deliveries         int
	redelivered        int
	returned           int
	extended           int
	streams            int
	ackCalls, modCalls int // requests
	pings              int
	first              []*pubsubpb.StreamingPullRequest
	headers            []metadata.MD
	changed            chan struct{}
}

type message struct {
	*pubsubpb.PubsubMessage
	attempt int
	from    *lane
	until   time.Time
}

// lane is one stream's flow control.
type lane struct{ messages, bytes, maxMessages, maxBytes int }

func newService() *service {
	return &service{batch: 100, answers: -1, leased: map[string]*message{}, done: map[string]int{}, changed: make(chan struct{})}
}

// tell is called with mu held.
func (s *service) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *service) publish(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := len(s.waiting) + len(s.leased) + len(s.done)
	for i := from; i < from+n; i++ {
		s.waiting = append(s.waiting, &message{PubsubMessage: &pubsubpb.PubsubMessage{
			MessageId:   fmt.Sprint(i),
			Data:        fmt.Appendf(nil, `{"device_id":"d%d"}`, i),
			Attributes:  map[string]string{"deviceId": fmt.Sprint("d", i), "subFolder": ""},
			PublishTime: timestamppb.New(time.UnixMicro(1_700_000_000_000_000 + int64(i))),
		}})
	}
	s.tell()
}

// await blocks until ok; it is called with mu held.
func (s *service) await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(20 * time.Minute)
	for {
		s.mu.Lock()
		met, changed := ok(), s.changed
		s.mu.Unlock()
		if met {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatal("waited in vain: " + what)
		case <-t.Context().Done():
			t.Fatal("the test ended while waiting: " + what)
		}
	}
}

func (s *service) StreamingPull(stream pubsubpb.Subscriber_StreamingPullServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	md, _ := metadata.FromIncomingContext(stream.Context())
	s.mu.Lock()
	s.streams++
	n := s.streams
	s.first = append(s.first, first)
	s.headers = append(s.headers, md)
	s.tell()
	s.mu.Unlock()
	if s.opening != nil {
		if err := s.opening(n); err != nil {
			return err
		}
	}
	if s.before != nil {
		if err := s.before(n, stream); err != nil {
			return err
		}
	}
	l := &lane{maxMessages: int(first.MaxOutstandingMessages), maxBytes: int(first.MaxOutstandingBytes)}
	deadline := s.grants
	if deadline == 0 {
		deadline = time.Duration(first.StreamAckDeadlineSeconds) * time.Second
	}
	pings := make(chan error)
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() {
		for {
			_, err := stream.Recv()
			select {
			case pings <- err:
			case <-ctx.Done():
			}
			if err != nil {
				return
			}
		}
	}()
	ended := make(chan error, 1)
	if s.broken != nil {
		go func() { ended <- s.broken(ctx) }()
	}
	expire := time.NewTicker(100 * time.Millisecond)
	defer expire.Stop()
	for {
		s.mu.Lock()
		s.expire()
		ready := s.claim(l, deadline)
		changed := s.changed
		s.mu.Unlock()
		if ready != nil {
			if err := stream.Send(ready); err != nil {
				return err
			}
			continue
		}
		select {
		case <-changed:
		case <-expire.C:
		case err := <-ended:
			return err
		case err := <-pings:
			if err != nil {
				return nil
			}
			s.mu.Lock()
			s.pings++
			n := s.pings
			s.tell()
			s.mu.Unlock()
			if s.answers < 0 || n <= s.answers {
				if err := stream.Send(&pubsubpb.StreamingPullResponse{}); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *service) claim(l *lane, deadline time.Duration) *pubsubpb.StreamingPullResponse {
	r := &pubsubpb.StreamingPullResponse{SubscriptionProperties: &pubsubpb.StreamingPullResponse_SubscriptionProperties{ExactlyOnceDeliveryEnabled: s.once}}
	for len(s.waiting) > 0 && len(r.ReceivedMessages) < s.batch && l.messages < l.maxMessages && l.bytes < l.maxBytes {
		m := s.waiting[0]
		s.waiting = s.waiting[1:]
		m.attempt++
		m.from, m.until = l, time.Now().Add(deadline)
		l.messages++
		l.bytes += len(m.Data)
		s.deliveries++
		if m.attempt > 1 {
			s.redelivered++
		}
		id := fmt.Sprintf("%s/%d/%0*d", m.MessageId, m.attempt, s.padding, 0)
		s.leased[id] = m
		r.ReceivedMessages = append(r.ReceivedMessages, &pubsubpb.ReceivedMessage{AckId: id, Message: m.PubsubMessage, DeliveryAttempt: int32(m.attempt)})
	}
	if len(r.ReceivedMessages) == 0 {
		return nil
	}
	return r
}

func (s *service) expire() {
	for id, m := range s.leased {
		if time.Now().After(m.until) {
			s.free(id)
			s.waiting = append(s.waiting, m)
		}
	}
}

func (s *service) free(id string) *message {
	m := s.leased[id]
	if m != nil {
		delete(s.leased, id)
		m.from.messages--
		m.from.bytes -= len(m.Data)
	}
	return m
}

func (s *service) Acknowledge(ctx context.Context, r *pubsubpb.AcknowledgeRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	s.ackCalls++
	n := s.ackCalls
	s.tell()
	s.mu.Unlock()
	if r.Subscription != subscription || len(r.AckIds) == 0 || len(r.AckIds) > 2500 || proto.Size(r) > 512<<10 {
		return nil, status.Error(codes.InvalidArgument, "bad request")
	}
	if s.acking != nil {
		if err := s.acking(ctx, n, r); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	for _, id := range r.AckIds {
		if m := s.free(id); m != nil {
			s.done[m.MessageId]++
		}
	}
	s.tell()
	s.mu.Unlock()
	if s.acked != nil {
		if err := s.acked(n, r); err != nil {
			return nil, err
		}
	}
	return &emptypb.Empty{}, nil
}

func (s *service) ModifyAckDeadline(ctx context.Context, r *pubsubpb.ModifyAckDeadlineRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	s.modCalls++
	n := s.modCalls
	s.mu.Unlock()
	if r.Subscription != subscription || len(r.AckIds) == 0 || len(r.AckIds) > 2500 || proto.Size(r) > 512<<10 {
		return nil, status.Error(codes.InvalidArgument, "bad request")
	}
	if s.modified != nil {
		if err := s.modified(ctx, n, r); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range r.AckIds {
		switch m := s.leased[id]; {
		case m == nil:
		case r.AckDeadlineSeconds == 0:
			s.waiting = append(s.waiting, s.free(id))
			s.returned++
		default:
			m.until = time.Now().Add(time.Duration(r.AckDeadlineSeconds) * time.Second)
			s.extended++
		}
	}
	s.tell()
	return &emptypb.Empty{}, nil
}

// dial serves s in memory, so that a test may run in a bubble of time.
func (s *service) dial(t testing.TB) *grpc.ClientConn {
	l := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pubsubpb.RegisterSubscriberServer(server, s)
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(l)
	}()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		<-served
	})
	return conn
}

// counts returns how often each of n messages was acknowledged, sorted.
func (s *service) counts() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n []int
	for _, k := range s.done {
		n = append(n, k)
	}
	slices.Sort(n)
	return n
}

// pass lets the bubble's time go by.
func pass(d time.Duration) { <-time.After(d) }
