package pubsub

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// post sends what o gathers until the source closes. Several goroutines may post.
func (s *Source) post(ctx context.Context, o *outbox) {
	for r := o.take(s.closing); r != nil; r = o.take(s.closing) {
		messages, bytes := r.ids, r.bytes
		s.send(ctx, r)
		s.Budget.Give(messages, bytes)
	}
}

// send sends a request until it is answered, or refused for good, or no lease of
// its messages lives any more: then they will come again, and are no longer ours.
func (s *Source) send(ctx context.Context, r *request) {
	var pause backoff
	for {
		err := s.invoke(ctx, r, s.Deadline/2)
		if err == nil {
			r.free()
			return
		}
		var lost int
		if r, lost = sortOut(r, err); lost > 0 {
			s.giveUp(lost, "the lease was lost", err)
		}
		wait := pause.next()
		switch {
		case r.ids == 0:
		case isFinal(err):
			s.giveUp(r.ids, "refused", err)
		case ctx.Err() != nil:
			s.unsent.Add(int64(r.ids))
		case time.Now().Add(wait).After(r.until):
			s.giveUp(r.ids, "not answered while the lease lived", err)
		default:
			sleep(ctx, wait)
			continue
		}
		r.free()
		return
	}
}

func (s *Source) invoke(ctx context.Context, r *request, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(s.route(ctx), timeout)
	defer cancel()
	return s.Conn.Invoke(ctx, r.call.method, r, &empty{}, raw)
}

func (s *Source) giveUp(n int, why string, err error) {
	s.Log.Warn("settlements given up: the messages will be delivered again",
		zap.String("subscription", s.Subscription), zap.Int("messages", n), zap.String("why", why), zap.Error(bounded(err)))
}

// sortOut drops the ids that an exactly-once subscription has refused for good, and
// says how many. Those that it calls transient are kept, and those that it does not
// mention: to settle a message twice is no error.
func sortOut(r *request, err error) (*request, int) {
	verdicts := confirmations(err)
	if len(verdicts) == 0 {
		return r, 0
	}
	before := r.ids
	left := r.without(func(id string) bool { return strings.HasPrefix(verdicts[id], "PERMANENT_") })
	left.seal()
	r.free()
	return left, before - left.ids
}

// confirmations is what an error says of single ack ids.
// https://cloud.google.com/pubsub/docs/exactly-once-delivery
func confirmations(err error) map[string]string {
	for _, d := range status.Convert(err).Details() {
		if e, ok := d.(*errdetails.ErrorInfo); ok && len(e.Metadata) > 0 {
			return e.Metadata
		}
	}
	return nil
}

// isFinal reports a refusal that no repetition turns. What is denied may be granted
// yet, and an answer that speaks of single ids is not about the request.
func isFinal(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.Unimplemented:
		return len(confirmations(err)) == 0
	}
	return false
}
