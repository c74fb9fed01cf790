package pubsub

import (
	"context"
	"strconv"
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// The service's limits on publishing.
const (
	maxRequestBytes    = 10_000_000
	maxRequestMessages = 1000
	maxAttributes      = 100
	maxAttributeKey    = 256
	maxAttributeValue  = 1024
	maxOrderingKey     = 1024
)

// Publish answers when the messages are in the file.
func (s *Server) Publish(ctx context.Context, req *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	return call(ctx, s, "Publish", req, func() (*pubsubpb.PublishResponse, error) {
		t, err := s.topic(req.Topic)
		if err != nil {
			return nil, err
		}
		if err := checkPublish(req); err != nil {
			return nil, err
		}
		var first int64
		var kept bool
		err = s.writer.do(ctx,
			func() error {
				first, kept = s.store.ids(len(req.Messages)), s.wanted(t)
				if !kept {
					return nil
				}
				return s.store.insert(t.id, first, req.Messages)
			},
			func() {
				if kept {
					s.published(t, len(req.Messages))
				}
			})
		if err != nil {
			return nil, err
		}
		resp := &pubsubpb.PublishResponse{MessageIds: make([]string, len(req.Messages))}
		for i := range resp.MessageIds {
			resp.MessageIds[i] = strconv.FormatInt(first+int64(i), 10)
		}
		return resp, nil
	})
}

// wanted says that somebody may ever read what is published to t.
func (s *Server) wanted(t *topic) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(t.subscriptions) > 0 || t.config.MessageRetentionDuration != nil
}

// published wakes the subscriptions of t.
func (s *Server) published(t *topic, n int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, q := range t.subscriptions {
		q.published(n)
	}
}

func checkPublish(req *pubsubpb.PublishRequest) error {
	if n := len(req.Messages); n == 0 {
		return errTooSmall("message_count", 0, 1)
	} else if n > maxRequestMessages {
		return errTooLarge("message_count", n, maxRequestMessages)
	}
	if n := proto.Size(req); n > maxRequestBytes {
		return errTooLarge("request_size", n, maxRequestBytes)
	}
	for _, m := range req.Messages {
		if len(m.Data) == 0 && len(m.Attributes) == 0 {
			return status.Error(codes.InvalidArgument, "One or more messages in the publish request is empty. "+
				"Each message must contain either non-empty data, or at least one attribute.")
		}
		if n := len(m.Attributes); n > maxAttributes {
			return errTooLarge("attribute_count", n, maxAttributes)
		}
		if n := len(m.OrderingKey); n > maxOrderingKey {
			return errTooLarge("ordering_key_size", n, maxOrderingKey)
		}
		for key, value := range m.Attributes {
			switch {
			case key == "" || strings.HasPrefix(key, "goog"):
				return errArgument("message.attributes.key")
			case len(key) > maxAttributeKey:
				return errTooLarge("attribute_key_size", len(key), maxAttributeKey)
			case len(value) > maxAttributeValue:
				return errTooLarge("attribute_value_size", len(value), maxAttributeValue)
			}
		}
	}
	return nil
}
