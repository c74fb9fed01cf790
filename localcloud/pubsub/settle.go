package pubsub

import (
	"context"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// maxAckBytes bounds Acknowledge and ModifyAckDeadline.
const maxAckBytes = 524_288

// Acknowledge answers when the messages are gone from the file.
func (s *Server) Acknowledge(ctx context.Context, req *pubsubpb.AcknowledgeRequest) (*emptypb.Empty, error) {
	return call(ctx, s, "Acknowledge", req, func() (*emptypb.Empty, error) {
		q, err := s.settling(req, req.Subscription, req.AckIds)
		if err != nil {
			return nil, err
		}
		verdict := make(chan error, 1)
		err = s.settle(ctx, q, req.AckIds, func(stale []ackID, err error) {
			if err == nil {
				err = errStale(stale)
			}
			verdict <- err
		})
		if err != nil {
			return nil, err
		}
		select {
		case err = <-verdict:
		case <-s.writer.stopped:
			err = errStopping
		case <-ctx.Done():
			err = status.FromContextError(ctx.Err()).Err()
		}
		return &emptypb.Empty{}, err
	})
}

// ModifyAckDeadline moves deadlines; 0 hands back.
func (s *Server) ModifyAckDeadline(ctx context.Context, req *pubsubpb.ModifyAckDeadlineRequest) (*emptypb.Empty, error) {
	return call(ctx, s, "ModifyAckDeadline", req, func() (*emptypb.Empty, error) {
		q, err := s.settling(req, req.Subscription, req.AckIds)
		if err != nil {
			return nil, err
		}
		if req.AckDeadlineSeconds < 0 {
			return nil, errTooSmall("ack_deadline_seconds", int(req.AckDeadlineSeconds), 0)
		}
		if req.AckDeadlineSeconds > 600 {
			return nil, errTooLarge("ack_deadline_seconds", int(req.AckDeadlineSeconds), 600)
		}
		acks, err := q.parseAll(req.AckIds)
		if err != nil {
			return nil, err
		}
		stale := q.modify(acks, func(int) int32 { return req.AckDeadlineSeconds }, s.now())
		return &emptypb.Empty{}, errStale(stale)
	})
}

func (s *Server) settling(req proto.Message, name string, ids []string) (*subscription, error) {
	q, err := s.subscription(name)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, status.Error(codes.InvalidArgument, "No ack ids specified.")
	}
	if proto.Size(req) > maxAckBytes {
		return nil, status.Errorf(codes.InvalidArgument, "Request payload size exceeds the limit: %d bytes.", maxAckBytes)
	}
	return q, nil
}

// settle applies the acknowledgements and deadlines of one request of a stream.
// They are confirmed only where delivery is exactly once.
func (st *stream) settle(ctx context.Context, req *pubsubpb.StreamingPullRequest) error {
	if len(req.ModifyDeadlineAckIds) != len(req.ModifyDeadlineSeconds) {
		return errArgument("modify_deadline_seconds")
	}
	exact := st.q.config.Load().EnableExactlyOnceDelivery
	if len(req.ModifyDeadlineAckIds) > 0 {
		acks, err := st.q.parseAll(req.ModifyDeadlineAckIds)
		if err != nil {
			return err
		}
		for _, seconds := range req.ModifyDeadlineSeconds {
			if seconds < 0 || seconds > 600 {
				return errArgument("modify_deadline_seconds")
			}
		}
		stale := st.q.modify(acks, func(i int) int32 { return req.ModifyDeadlineSeconds[i] }, st.server.now())
		if exact {
			good, bad := split(req.ModifyDeadlineAckIds, stale)
			st.confirmed(ctx, &pubsubpb.StreamingPullResponse{
				ModifyAckDeadlineConfirmation: &pubsubpb.StreamingPullResponse_ModifyAckDeadlineConfirmation{
					AckIds: good, InvalidAckIds: bad,
				},
			})
		}
	}
	if len(req.AckIds) == 0 {
		return nil
	}
	return st.server.settle(ctx, st.q, req.AckIds, func(stale []ackID, err error) {
		if !exact {
			return
		}
		c := &pubsubpb.StreamingPullResponse_AcknowledgeConfirmation{}
		if err != nil {
			c.TemporaryFailedAckIds = req.AckIds
		} else {
			c.AckIds, c.InvalidAckIds = split(req.AckIds, stale)
		}
		st.confirmed(ctx, &pubsubpb.StreamingPullResponse{AcknowledgeConfirmation: c})
	})
}

// confirmed hands a confirmation to the sender. The writer may call it, so it never
// waits: the service too may leave a confirmation out.
func (st *stream) confirmed(_ context.Context, resp *pubsubpb.StreamingPullResponse) {
	select {
	case st.confirm <- resp:
	default:
	}
}

func split(ids []string, stale []ackID) (good, bad []string) {
	refused := make(map[string]bool, len(stale))
	for _, a := range stale {
		refused[a.String()] = true
	}
	for _, id := range ids {
		if refused[id] {
			bad = append(bad, id)
		} else {
			good = append(good, id)
		}
	}
	return good, bad
}
