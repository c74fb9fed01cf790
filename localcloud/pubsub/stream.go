package pubsub

import (
	"context"
	"errors"
	"io"
	"math"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// stream is one StreamingPull. Its own goroutine sends; a second one receives, and
// ends with the stream.
type stream struct {
	server   *Server
	q        *subscription
	grpc     pubsubpb.Subscriber_StreamingPullServer
	flow     flow
	deadline chan int32 // a new stream_ack_deadline_seconds
	pings    chan struct{}
	confirm  chan *pubsubpb.StreamingPullResponse
	ended    chan error // the receiver's end
	version  int64
}

// StreamingPull sends messages as they come, many a response, within the credit
// that the first request gives.
func (s *Server) StreamingPull(g pubsubpb.Subscriber_StreamingPullServer) error {
	first, err := g.Recv()
	if err != nil {
		return err
	}
	ctx := g.Context()
	if rule := s.opts.Faults.Next(ctx, "StreamingPull.open", first); rule != nil && (rule.Err != nil || rule.Hang) {
		return rule.Err
	}
	q, err := s.subscription(first.Subscription)
	if err != nil {
		return err
	}
	if err := s.checkDeadline("stream_ack_deadline_seconds", first.StreamAckDeadlineSeconds); err != nil {
		return err
	}
	st := &stream{
		server: s, q: q, grpc: g, version: first.ProtocolVersion,
		flow:     flow{maxMessages: first.MaxOutstandingMessages, maxBytes: first.MaxOutstandingBytes},
		deadline: make(chan int32, 1), pings: make(chan struct{}, 1),
		confirm: make(chan *pubsubpb.StreamingPullResponse, 16), ended: make(chan error, 1),
	}
	if err := st.settle(ctx, first); err != nil {
		return err
	}
	go st.receive(ctx)
	return st.send(ctx, time.Duration(first.StreamAckDeadlineSeconds)*time.Second)
}

// send delivers until the stream ends.
func (st *stream) send(ctx context.Context, deadline time.Duration) error {
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	for {
		l, err := st.q.take(ctx, &st.flow, responseMessages, deadline)
		if err != nil {
			return err
		}
		st.server.bury(ctx, st.q, l.dead)
		if len(l.leased) > 0 {
			resp, err := st.response(l)
			if err != nil {
				return err
			}
			if err := st.deliver(ctx, resp); err != nil {
				return err
			}
		}
		busy := len(l.leased) > 0
		wait := time.Duration(math.MaxInt64)
		if busy {
			wait = 0
		} else if !l.next.IsZero() {
			wait = max(l.next.Sub(st.server.now()), time.Millisecond)
		}
		timer.Reset(wait)
		select {
		case <-l.changed:
		case <-timer.C:
		case seconds := <-st.deadline:
			deadline = time.Duration(seconds) * time.Second
		case <-st.pings:
			err = st.grpc.Send(st.properties(&pubsubpb.StreamingPullResponse{}))
		case resp := <-st.confirm:
			err = st.grpc.Send(st.properties(resp))
		case err := <-st.ended:
			return err
		case <-st.q.gone:
			return errNotFound(st.q.name)
		case <-st.server.stopping:
			return errStopping
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
		if err != nil {
			return err
		}
	}
}

// deliver sends one response of messages under the rules of the tests.
func (st *stream) deliver(ctx context.Context, resp *pubsubpb.StreamingPullResponse) error {
	rule := st.server.opts.Faults.Next(ctx, "StreamingPull", resp)
	switch {
	case rule == nil || !rule.After && rule.Err == nil && !rule.Hang:
		return st.grpc.Send(resp)
	case rule.Hang:
		return status.FromContextError(ctx.Err()).Err()
	case rule.After && rule.Err == nil: // lost on the way
		return nil
	case rule.After:
		if err := st.grpc.Send(resp); err != nil {
			return err
		}
	}
	return rule.Err
}

func (st *stream) response(l lot) (*pubsubpb.StreamingPullResponse, error) {
	received, err := st.q.received(l)
	return st.properties(&pubsubpb.StreamingPullResponse{ReceivedMessages: received}), err
}

func (st *stream) properties(resp *pubsubpb.StreamingPullResponse) *pubsubpb.StreamingPullResponse {
	c := st.q.config.Load()
	resp.SubscriptionProperties = &pubsubpb.StreamingPullResponse_SubscriptionProperties{
		ExactlyOnceDeliveryEnabled: c.EnableExactlyOnceDelivery, MessageOrderingEnabled: c.EnableMessageOrdering,
	}
	return resp
}

// receive applies what the client sends until it sends no more.
func (st *stream) receive(ctx context.Context) {
	for {
		req, err := st.grpc.Recv()
		if errors.Is(err, io.EOF) {
			err = nil // the client is done, and so are we
			st.ended <- err
			return
		}
		if err == nil {
			err = st.request(ctx, req)
		}
		if err != nil {
			st.ended <- err
			return
		}
	}
}

func (st *stream) request(ctx context.Context, req *pubsubpb.StreamingPullRequest) error {
	if rule := st.server.opts.Faults.Next(ctx, "StreamingPull.request", req); rule != nil && rule.Err != nil {
		return rule.Err
	}
	if req.Subscription != "" || req.MaxOutstandingMessages != 0 || req.MaxOutstandingBytes != 0 || req.ProtocolVersion != 0 {
		return status.Error(codes.InvalidArgument, "Only the first request of a stream may set subscription, "+
			"max_outstanding_messages, max_outstanding_bytes and protocol_version.")
	}
	if seconds := req.StreamAckDeadlineSeconds; seconds != 0 {
		if err := st.server.checkDeadline("stream_ack_deadline_seconds", seconds); err != nil {
			return err
		}
		select {
		case st.deadline <- seconds:
		case <-ctx.Done():
		}
	}
	if st.version > 0 && len(req.AckIds)+len(req.ModifyDeadlineAckIds) == 0 {
		select {
		case st.pings <- struct{}{}:
		default: // one answer is enough
		}
	}
	return st.settle(ctx, req)
}
