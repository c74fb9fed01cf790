package pubsub

import (
	"context"
	"time"
)

// sweepEvery is how often retention is enforced on disk. What is too old is not
// delivered in the meantime either.
const sweepEvery = time.Minute

// retains says that acknowledged messages of q's topic are kept for a seek: the
// topic's retention or a subscription of it asks for it.
func (s *Server) retains(q *subscription) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.topics {
		if t.id == q.topic {
			return s.keepFor(t) > 0
		}
	}
	return false
}

// keepFor is how long t keeps what nobody waits for. The server's mutex is held.
func (s *Server) keepFor(t *topic) time.Duration {
	keep := t.config.GetMessageRetentionDuration().AsDuration()
	for _, q := range t.subscriptions {
		if c := q.config.Load(); c.RetainAckedMessages {
			keep = max(keep, c.MessageRetentionDuration.AsDuration())
		}
	}
	return keep
}

// sweep deletes what is past its retention.
func (s *Server) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.sweepOnce(ctx)
		}
	}
}

func (s *Server) sweepOnce(ctx context.Context) {
	now := s.now()
	s.mu.RLock()
	queues := make([]*subscription, 0, len(s.subscriptions))
	for _, q := range s.subscriptions {
		queues = append(queues, q)
	}
	horizons := map[int64]int64{} // of what nobody waits for, by topic
	for _, t := range s.topics {
		if keep := s.keepFor(t); keep > 0 {
			horizons[t.id] = now.Add(-keep).UnixMicro()
		}
	}
	s.mu.RUnlock()

	for _, q := range queues {
		old := span{0, q.horizon(now) - 1}
		var gone int64
		// An error heals or shows itself to the next Publish: the sweep only tries again.
		_ = s.writer.do(ctx, func() (err error) {
			gone, err = s.store.remove(q, []span{old}, s.retains(q))
			return err
		}, func() {
			q.unacked.Add(-gone)
			q.mu.Lock()
			defer q.mu.Unlock()
			for id, e := range q.entries {
				if id <= old.high {
					q.settle(e)
				}
			}
		})
	}
	for id, horizon := range horizons {
		_ = s.writer.do(ctx, func() error {
			_, err := s.store.write.ExecContext(context.Background(), deleteUnwanted, id, horizon)
			return err
		}, nil)
	}
}
