package pubsub

import (
	"context"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/encoding/protojson"
)

// restore reads topics and subscriptions. Every lease of an earlier run is gone:
// what is pending is deliverable.
func (s *Server) restore(ctx context.Context) error {
	byID := map[int64]*topic{}
	rows, err := s.store.write.QueryContext(ctx, `SELECT id, config FROM topics`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		t := &topic{config: &pubsubpb.Topic{}, subscriptions: map[string]*subscription{}}
		var config []byte
		if err := rows.Scan(&t.id, &config); err != nil {
			return err
		}
		if err := protojson.Unmarshal(config, t.config); err != nil {
			return err
		}
		s.topics[t.config.Name], byID[t.id] = t, t
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows, err = s.store.write.QueryContext(ctx, `SELECT id, topic, created, config,
		(SELECT count(*) FROM pending WHERE subscription = s.id) FROM subscriptions s`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, topic, created, unacked int64
		var text []byte
		if err := rows.Scan(&id, &topic, &created, &text, &unacked); err != nil {
			return err
		}
		config := &pubsubpb.Subscription{}
		if err := protojson.Unmarshal(text, config); err != nil {
			return err
		}
		q := newSubscription(id, topic, created, config, s.store, &s.leases)
		q.unacked.Store(unacked)
		s.subscriptions[q.name] = q
		if t := byID[topic]; t != nil {
			t.subscriptions[q.name] = q
		}
	}
	return rows.Err()
}

func (st *store) insertSubscription(id *int64, topic, created int64, c *pubsubpb.Subscription) error {
	return st.insertConfig(id, `INSERT INTO subscriptions (name, config, topic, created) VALUES (?, ?, ?, ?)`,
		c.Name, c, topic, created)
}

func (st *store) insertTopic(t *topic) error {
	return st.insertConfig(&t.id, `INSERT INTO topics (name, config) VALUES (?, ?)`, t.config.Name, t.config)
}

func (st *store) updateTopic(id int64, config *pubsubpb.Topic) error {
	return st.updateConfig(`UPDATE topics SET config = ? WHERE id = ?`, config, id)
}

// deleteTopic leaves the messages to the subscriptions that still want them.
func (st *store) deleteTopic(id int64) error {
	ctx := context.Background()
	if _, err := st.write.ExecContext(ctx, `DELETE FROM topics WHERE id = ?`, id); err != nil {
		return err
	}
	_, err := st.write.ExecContext(ctx, deleteUnwanted, id, int64(1)<<62)
	return err
}

func (st *store) updateSubscription(id int64, config *pubsubpb.Subscription) error {
	return st.updateConfig(`UPDATE subscriptions SET config = ? WHERE id = ?`, config, id)
}

// deleteSubscription takes a subscription, and the messages that it alone waited for.
func (st *store) deleteSubscription(q *subscription, keep bool) error {
	if _, err := st.remove(q, []span{{0, 1 << 62}}, keep); err != nil {
		return err
	}
	_, err := st.write.ExecContext(context.Background(), `DELETE FROM subscriptions WHERE id = ?`, q.id)
	return err
}
