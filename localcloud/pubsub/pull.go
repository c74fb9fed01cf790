package pubsub

import (
	"context"
	"math"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/status"
)

// pullWait is how long a Pull without messages is held.
const pullWait = 20 * time.Second

// Pull answers as soon as there is a message, or empty after a while.
func (s *Server) Pull(ctx context.Context, req *pubsubpb.PullRequest) (*pubsubpb.PullResponse, error) {
	return call(ctx, s, "Pull", req, func() (*pubsubpb.PullResponse, error) {
		q, err := s.subscription(req.Subscription)
		if err != nil {
			return nil, err
		}
		if req.MaxMessages <= 0 {
			return nil, errArgument("max_messages")
		}
		end := s.now().Add(pullWait)
		timer := time.NewTimer(math.MaxInt64)
		defer timer.Stop()
		for {
			deadline := time.Duration(q.config.Load().AckDeadlineSeconds) * time.Second
			l, err := q.take(ctx, &flow{}, min(int(req.MaxMessages), responseMessages), deadline)
			if err != nil {
				return nil, err
			}
			s.bury(ctx, q, l.dead)
			now := s.now()
			if len(l.leased) > 0 || req.ReturnImmediately || !now.Before(end) { //nolint:staticcheck // deprecated, and still served
				received, err := q.received(l)
				return &pubsubpb.PullResponse{ReceivedMessages: received}, err
			}
			wait := end.Sub(now)
			if !l.next.IsZero() {
				wait = min(wait, l.next.Sub(now))
			}
			timer.Reset(max(wait, time.Millisecond))
			select {
			case <-l.changed:
			case <-timer.C:
			case <-q.gone:
				return nil, errNotFound(q.name)
			case <-s.stopping:
				return nil, errStopping
			case <-ctx.Done():
				return nil, status.FromContextError(ctx.Err()).Err()
			}
		}
	})
}

// received is a lot as the client sees it. Attempts are told only where a
// dead-letter policy counts them.
func (q *subscription) received(l lot) ([]*pubsubpb.ReceivedMessage, error) {
	counted := q.config.Load().DeadLetterPolicy != nil
	out := make([]*pubsubpb.ReceivedMessage, len(l.leased))
	for i, d := range l.leased {
		m, err := d.payload.message()
		if err != nil {
			return nil, err
		}
		out[i] = &pubsubpb.ReceivedMessage{AckId: ackID{q.id, d.payload.id, d.lease}.String(), Message: m}
		if counted {
			out[i].DeliveryAttempt = d.attempts
		}
	}
	return out, nil
}
