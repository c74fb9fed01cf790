package pubsub

import (
	"context"
	"maps"
	"slices"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// CreateTopic makes a topic.
func (s *Server) CreateTopic(ctx context.Context, req *pubsubpb.Topic) (*pubsubpb.Topic, error) {
	return call(ctx, s, "CreateTopic", req, func() (*pubsubpb.Topic, error) {
		if err := checkName(req.Name, topicName); err != nil {
			return nil, err
		}
		if err := checkTopic(req); err != nil {
			return nil, err
		}
		s.admin.Lock()
		defer s.admin.Unlock()
		if _, err := s.topic(req.Name); err == nil {
			return nil, errExists(req.Name)
		}
		t := &topic{config: proto.CloneOf(req), subscriptions: map[string]*subscription{}}
		t.config.State = pubsubpb.Topic_ACTIVE
		err := s.writer.do(ctx, func() error { return s.store.insertTopic(t) }, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.topics[req.Name] = t
		})
		if err != nil {
			return nil, err
		}
		return t.config, nil
	})
}

// UpdateTopic changes labels and retention.
func (s *Server) UpdateTopic(ctx context.Context, req *pubsubpb.UpdateTopicRequest) (*pubsubpb.Topic, error) {
	return call(ctx, s, "UpdateTopic", req, func() (*pubsubpb.Topic, error) {
		s.admin.Lock()
		defer s.admin.Unlock()
		t, err := s.topic(req.GetTopic().GetName())
		if err != nil {
			return nil, err
		}
		config := proto.CloneOf(s.topicConfig(t))
		if err := update(config, req.Topic, req.UpdateMask, "labels", "message_retention_duration", "message_storage_policy"); err != nil {
			return nil, err
		}
		if err := checkTopic(config); err != nil {
			return nil, err
		}
		err = s.writer.do(ctx, func() error { return s.store.updateTopic(t.id, config) }, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.config = config
		})
		if err != nil {
			return nil, err
		}
		return config, nil
	})
}

// topicConfig is the topic's configuration of this moment.
func (s *Server) topicConfig(t *topic) *pubsubpb.Topic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return t.config
}

// GetTopic describes a topic.
func (s *Server) GetTopic(ctx context.Context, req *pubsubpb.GetTopicRequest) (*pubsubpb.Topic, error) {
	return call(ctx, s, "GetTopic", req, func() (*pubsubpb.Topic, error) {
		t, err := s.topic(req.Topic)
		if err != nil {
			return nil, err
		}
		return s.topicConfig(t), nil
	})
}

// ListTopics lists by name, a page at a time.
func (s *Server) ListTopics(ctx context.Context, req *pubsubpb.ListTopicsRequest) (*pubsubpb.ListTopicsResponse, error) {
	return call(ctx, s, "ListTopics", req, func() (*pubsubpb.ListTopicsResponse, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		names, next, err := page(slices.Collect(maps.Keys(s.topics)), req.Project, req.PageSize, req.PageToken)
		if err != nil {
			return nil, err
		}
		resp := &pubsubpb.ListTopicsResponse{NextPageToken: next}
		for _, name := range names {
			resp.Topics = append(resp.Topics, s.topics[name].config)
		}
		return resp, nil
	})
}

// ListTopicSubscriptions lists the names of a topic's subscriptions.
func (s *Server) ListTopicSubscriptions(ctx context.Context, req *pubsubpb.ListTopicSubscriptionsRequest) (*pubsubpb.ListTopicSubscriptionsResponse, error) {
	return call(ctx, s, "ListTopicSubscriptions", req, func() (*pubsubpb.ListTopicSubscriptionsResponse, error) {
		t, err := s.topic(req.Topic)
		if err != nil {
			return nil, err
		}
		s.mu.RLock()
		defer s.mu.RUnlock()
		names, next, err := page(slices.Collect(maps.Keys(t.subscriptions)), "", req.PageSize, req.PageToken)
		return &pubsubpb.ListTopicSubscriptionsResponse{Subscriptions: names, NextPageToken: next}, err
	})
}

// DeleteTopic leaves the subscriptions, with what they have not acknowledged.
func (s *Server) DeleteTopic(ctx context.Context, req *pubsubpb.DeleteTopicRequest) (*emptypb.Empty, error) {
	return call(ctx, s, "DeleteTopic", req, func() (*emptypb.Empty, error) {
		s.admin.Lock()
		defer s.admin.Unlock()
		t, err := s.topic(req.Topic)
		if err != nil {
			return nil, err
		}
		orphans := map[*subscription]*pubsubpb.Subscription{}
		for _, q := range t.subscriptions { // only admin changes it
			config := proto.CloneOf(q.config.Load())
			config.Topic = deletedTopic
			orphans[q] = config
		}
		err = s.writer.do(ctx, func() error {
			for q, config := range orphans {
				if err := s.store.updateSubscription(q.id, config); err != nil {
					return err
				}
			}
			return s.store.deleteTopic(t.id)
		}, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.topics, req.Topic)
			for q, config := range orphans {
				q.configure(config)
			}
		})
		if err != nil {
			return nil, err
		}
		return &emptypb.Empty{}, nil
	})
}

// page is the names under a project after the token, sorted; "" is any project.
func page(names []string, parent string, size int32, token string) (out []string, next string, err error) {
	if parent != "" && !projectName.MatchString(parent) {
		return nil, "", checkName(parent, projectName)
	}
	limit := int(size)
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	slices.Sort(names)
	for _, name := range names {
		if parent != "" && project(name) != parent || name <= token {
			continue
		}
		if len(out) == limit {
			return out, out[limit-1], nil
		}
		out = append(out, name)
	}
	return out, "", nil
}
