package pubsub

import (
	"context"
	"maps"
	"slices"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// configure replaces the configuration.
func (q *subscription) configure(config *pubsubpb.Subscription) {
	q.config.Store(config)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wake()
}

// CreateSubscription makes a subscription: what is published after it has answered
// will be delivered to it.
func (s *Server) CreateSubscription(ctx context.Context, req *pubsubpb.Subscription) (*pubsubpb.Subscription, error) {
	return call(ctx, s, "CreateSubscription", req, func() (*pubsubpb.Subscription, error) {
		if err := checkName(req.Name, subscriptionName); err != nil {
			return nil, err
		}
		config := proto.CloneOf(req)
		if err := s.checkSubscription(config); err != nil {
			return nil, err
		}
		config.State = pubsubpb.Subscription_ACTIVE
		s.admin.Lock()
		defer s.admin.Unlock()
		t, err := s.topic(req.Topic)
		if err != nil {
			return nil, err
		}
		if _, err := s.subscription(req.Name); err == nil {
			return nil, errExists(req.Name)
		}
		var id, created int64
		err = s.writer.do(ctx, func() error {
			created = s.store.ids(1)
			return s.store.insertSubscription(&id, t.id, created, config)
		}, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			q := newSubscription(id, t.id, created, config, s.store, &s.leases)
			s.subscriptions[q.name], t.subscriptions[q.name] = q, q
		})
		if err != nil {
			return nil, err
		}
		return config, nil
	})
}

// GetSubscription describes a subscription.
func (s *Server) GetSubscription(ctx context.Context, req *pubsubpb.GetSubscriptionRequest) (*pubsubpb.Subscription, error) {
	return call(ctx, s, "GetSubscription", req, func() (*pubsubpb.Subscription, error) {
		q, err := s.subscription(req.Subscription)
		if err != nil {
			return nil, err
		}
		return q.config.Load(), nil
	})
}

// UpdateSubscription changes what the service lets one change. Streams follow at once.
func (s *Server) UpdateSubscription(ctx context.Context, req *pubsubpb.UpdateSubscriptionRequest) (*pubsubpb.Subscription, error) {
	return call(ctx, s, "UpdateSubscription", req, func() (*pubsubpb.Subscription, error) {
		s.admin.Lock()
		defer s.admin.Unlock()
		q, err := s.subscription(req.GetSubscription().GetName())
		if err != nil {
			return nil, err
		}
		config := proto.CloneOf(q.config.Load())
		err = update(config, req.Subscription, req.UpdateMask, "ack_deadline_seconds", "retain_acked_messages",
			"message_retention_duration", "labels", "expiration_policy", "dead_letter_policy", "retry_policy",
			"enable_exactly_once_delivery", "push_config")
		if err != nil {
			return nil, err
		}
		if err := s.checkSubscription(config); err != nil {
			return nil, err
		}
		err = s.writer.do(ctx, func() error { return s.store.updateSubscription(q.id, config) },
			func() { q.configure(config) })
		if err != nil {
			return nil, err
		}
		return config, nil
	})
}

// ListSubscriptions lists by name, a page at a time.
func (s *Server) ListSubscriptions(ctx context.Context, req *pubsubpb.ListSubscriptionsRequest) (*pubsubpb.ListSubscriptionsResponse, error) {
	return call(ctx, s, "ListSubscriptions", req, func() (*pubsubpb.ListSubscriptionsResponse, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		names, next, err := page(slices.Collect(maps.Keys(s.subscriptions)), req.Project, req.PageSize, req.PageToken)
		if err != nil {
			return nil, err
		}
		resp := &pubsubpb.ListSubscriptionsResponse{NextPageToken: next}
		for _, name := range names {
			resp.Subscriptions = append(resp.Subscriptions, s.subscriptions[name].config.Load())
		}
		return resp, nil
	})
}

// DeleteSubscription ends its streams with NOT_FOUND and forgets what it had not
// acknowledged.
func (s *Server) DeleteSubscription(ctx context.Context, req *pubsubpb.DeleteSubscriptionRequest) (*emptypb.Empty, error) {
	return call(ctx, s, "DeleteSubscription", req, func() (*emptypb.Empty, error) {
		s.admin.Lock()
		defer s.admin.Unlock()
		q, err := s.subscription(req.Subscription)
		if err != nil {
			return nil, err
		}
		err = s.writer.do(ctx, func() error { return s.store.deleteSubscription(q, s.retains(q)) }, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.subscriptions, q.name)
			for _, t := range s.topics {
				if t.id == q.topic {
					delete(t.subscriptions, q.name)
				}
			}
			close(q.gone)
		})
		if err != nil {
			return nil, err
		}
		return &emptypb.Empty{}, nil
	})
}
