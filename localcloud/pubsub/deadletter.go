package pubsub

import (
	"context"
	"strconv"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// exhausted says that the dead-letter policy wants no further delivery.
func (q *subscription) exhausted(e *entry) bool {
	p := q.config.Load().GetDeadLetterPolicy()
	return p != nil && e.attempts >= p.MaxDeliveryAttempts
}

// bury moves messages whose attempts are used up to the dead-letter topic, in one
// transaction with their acknowledgement. What cannot be moved is tried again a
// minute later, as long as the policy stands.
func (s *Server) bury(ctx context.Context, q *subscription, dead []*entry) {
	for _, e := range dead {
		q.mu.Lock()
		policy, p, attempts := q.config.Load().GetDeadLetterPolicy(), e.payload, e.attempts
		q.mu.Unlock()
		if policy == nil || p == nil {
			continue
		}
		t, err := s.topic(policy.DeadLetterTopic)
		if err != nil {
			continue
		}
		m, err := p.message()
		if err != nil {
			continue
		}
		if m.Attributes == nil {
			m.Attributes = map[string]string{}
		}
		m.Attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = strconv.Itoa(int(attempts))
		m.Attributes["CloudPubSubDeadLetterSourceSubscription"] = short(q.name)
		m.Attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] = short(project(q.name))
		m.Attributes["CloudPubSubDeadLetterSourceTopicPublishTime"] = time.UnixMicro(e.id).UTC().Format("2006-01-02T15:04:05.000-07:00")

		var gone int64
		kept := false
		err = s.writer.do(ctx, func() (err error) {
			if kept = s.wanted(t); kept {
				if err := s.store.insert(t.id, s.store.ids(1), []*pubsubpb.PubsubMessage{m}); err != nil {
					return err
				}
			}
			gone, err = s.store.remove(q, []span{{e.id, e.id}}, s.retains(q))
			return err
		}, func() {
			q.mu.Lock()
			if q.entries[e.id] == e {
				q.settle(e)
			}
			q.mu.Unlock()
			q.unacked.Add(-gone)
			if kept {
				s.published(t, 1)
			}
		})
		if err != nil {
			return
		}
	}
}
