package pubsub

import (
	"context"

	"google.golang.org/grpc/status"
)

// call is one unary method under the rules of the tests: a rule fails it before
// the work, or after it, when the answer is replaced by the rule's error or, if
// that is nil, never comes.
func call[Resp any](ctx context.Context, s *Server, method string, req any, work func() (Resp, error)) (none Resp, _ error) {
	rule := s.opts.Faults.Next(ctx, method, req)
	switch {
	case rule == nil:
		return work()
	case rule.Hang:
		return none, status.FromContextError(ctx.Err()).Err()
	case !rule.After && rule.Err != nil:
		return none, rule.Err
	case !rule.After:
		return work()
	}
	if _, err := work(); err != nil {
		return none, err
	}
	if rule.Err != nil {
		return none, rule.Err
	}
	<-ctx.Done()
	return none, status.FromContextError(ctx.Err()).Err()
}
