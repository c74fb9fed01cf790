package pubsub

import (
	"context"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// Seek makes a subscription's past and future part at a time: what was published
// before counts as acknowledged, what came at or after it is delivered again as
// far as it has been kept. Leases end, and their ack ids count no more.
func (s *Server) Seek(ctx context.Context, req *pubsubpb.SeekRequest) (*pubsubpb.SeekResponse, error) {
	return call(ctx, s, "Seek", req, func() (*pubsubpb.SeekResponse, error) {
		q, err := s.subscription(req.Subscription)
		if err != nil {
			return nil, err
		}
		if req.GetSnapshot() != "" {
			return nil, errUnserved("snapshots")
		}
		if !req.GetTime().IsValid() {
			return nil, errArgument("time")
		}
		at := req.GetTime().AsTime().UnixMicro()
		var unacked int64
		err = s.writer.do(ctx, func() (err error) {
			unacked, err = s.store.seek(q, at, s.replayable(q), s.retains(q))
			return err
		}, func() {
			q.unacked.Store(unacked)
			q.mu.Lock()
			defer q.mu.Unlock()
			q.since = s.leases.Load()
			q.reset()
		})
		if err != nil {
			return nil, err
		}
		return &pubsubpb.SeekResponse{}, nil
	})
}

// replayable is the oldest id that q may see again once acknowledged; 0 is none.
func (s *Server) replayable(q *subscription) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := q.config.Load()
	now := s.now()
	for _, t := range s.topics {
		if keep := t.config.GetMessageRetentionDuration(); t.id == q.topic && keep != nil {
			return now.Add(-keep.AsDuration()).UnixMicro() // older than the subscription, too
		}
	}
	if c.RetainAckedMessages {
		return max(q.created, now.Add(-c.MessageRetentionDuration.AsDuration()).UnixMicro())
	}
	return 0
}

func (st *store) seek(q *subscription, at, oldest int64, keep bool) (unacked int64, err error) {
	ctx := context.Background()
	if _, err = st.remove(q, []span{{0, at - 1}}, keep); err != nil {
		return 0, err
	}
	if oldest > 0 {
		_, err = st.write.ExecContext(ctx, `INSERT OR IGNORE INTO pending (subscription, message)
			SELECT ?1, id FROM messages WHERE topic = ?2 AND id >= ?3`, q.id, q.topic, max(at, oldest))
		if err != nil {
			return 0, err
		}
	}
	err = st.write.QueryRowContext(ctx, `SELECT count(*) FROM pending WHERE subscription = ?`, q.id).Scan(&unacked)
	return unacked, err
}
