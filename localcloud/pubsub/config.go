package pubsub

import (
	"context"
	"slices"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

const (
	day          = 24 * time.Hour
	minRetention = 10 * time.Minute
	maxRetention = 31 * day
)

func (st *store) insertConfig(id *int64, insert, name string, config proto.Message, more ...any) error {
	text, err := protojson.Marshal(config)
	if err != nil {
		return err
	}
	r, err := st.write.ExecContext(context.Background(), insert, append([]any{name, string(text)}, more...)...)
	if err != nil {
		return err
	}
	*id, err = r.LastInsertId()
	return err
}

func (st *store) updateConfig(update string, config proto.Message, id int64) error {
	text, err := protojson.Marshal(config)
	if err != nil {
		return err
	}
	_, err = st.write.ExecContext(context.Background(), update, string(text), id)
	return err
}

// checkTopic refuses what would otherwise be ignored.
func checkTopic(t *pubsubpb.Topic) error {
	switch {
	case t.KmsKeyName != "":
		return errUnserved("customer-managed keys")
	case t.SchemaSettings != nil:
		return errUnserved("schemas")
	case t.IngestionDataSourceSettings != nil:
		return errUnserved("ingestion data sources")
	case len(t.MessageTransforms) > 0:
		return errUnserved("message transforms")
	}
	if d := t.MessageRetentionDuration; d != nil {
		return checkRange("message_retention_duration", d, minRetention, maxRetention)
	}
	return nil
}

// checkSubscription fills in the service's defaults and refuses what would
// otherwise be ignored.
func (s *Server) checkSubscription(c *pubsubpb.Subscription) error {
	switch {
	case proto.Size(c.PushConfig) > 0:
		return errUnserved("push subscriptions")
	case proto.Size(c.BigqueryConfig) > 0, proto.Size(c.CloudStorageConfig) > 0, proto.Size(c.BigtableConfig) > 0:
		return errUnserved("export subscriptions")
	case c.Filter != "":
		return errUnserved("filters")
	case len(c.MessageTransforms) > 0:
		return errUnserved("message transforms")
	}
	if c.AckDeadlineSeconds == 0 {
		c.AckDeadlineSeconds = 10
	}
	if err := s.checkDeadline("ack_deadline_seconds", c.AckDeadlineSeconds); err != nil {
		return err
	}
	if c.MessageRetentionDuration == nil {
		c.MessageRetentionDuration = durationpb.New(7 * day)
	}
	if err := checkRange("message_retention_duration", c.MessageRetentionDuration, minRetention, maxRetention); err != nil {
		return err
	}
	if c.ExpirationPolicy == nil {
		c.ExpirationPolicy = &pubsubpb.ExpirationPolicy{Ttl: durationpb.New(31 * day)}
	}
	if p := c.RetryPolicy; p != nil {
		if p.MinimumBackoff == nil {
			p.MinimumBackoff = durationpb.New(10 * time.Second)
		}
		if p.MaximumBackoff == nil {
			p.MaximumBackoff = durationpb.New(600 * time.Second)
		}
		if err := checkRange("minimum_backoff", p.MinimumBackoff, 0, 600*time.Second); err != nil {
			return err
		}
		if err := checkRange("maximum_backoff", p.MaximumBackoff, p.MinimumBackoff.AsDuration(), 600*time.Second); err != nil {
			return err
		}
	}
	if p := c.DeadLetterPolicy; p != nil {
		if p.MaxDeliveryAttempts == 0 {
			p.MaxDeliveryAttempts = 5
		}
		if p.MaxDeliveryAttempts < 5 || p.MaxDeliveryAttempts > 100 {
			return errArgument("dead_letter_policy.max_delivery_attempts")
		}
		if _, err := s.topic(p.DeadLetterTopic); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) checkDeadline(field string, seconds int32) error {
	if low := int(s.opts.MinAckDeadline / time.Second); int(seconds) < low {
		return errTooSmall(field, int(seconds), low)
	}
	if seconds > 600 {
		return errTooLarge(field, int(seconds), 600)
	}
	return nil
}

func checkRange(field string, d *durationpb.Duration, low, high time.Duration) error {
	if d.CheckValid() != nil || d.AsDuration() < low || d.AsDuration() > high {
		return errArgument(field)
	}
	return nil
}

// update copies the fields of the mask from one message to another. Those not in
// allowed cannot be changed.
func update(to, from proto.Message, mask *fieldmaskpb.FieldMask, allowed ...string) error {
	if len(mask.GetPaths()) == 0 {
		return status.Error(codes.InvalidArgument, "The update_mask in the request must be set, and must contain a valid field.")
	}
	for _, path := range mask.Paths {
		field := from.ProtoReflect().Descriptor().Fields().ByTextName(path)
		if field == nil || !slices.Contains(allowed, path) {
			return status.Errorf(codes.InvalidArgument, "Invalid update_mask provided in the request: %s is not a known or mutable field.", path)
		}
		if !from.ProtoReflect().Has(field) {
			to.ProtoReflect().Clear(field)
			continue
		}
		to.ProtoReflect().Set(field, from.ProtoReflect().Get(field))
	}
	return nil
}
