package pubsub

import (
	"context"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"iotbridge/ingest"
)

// Limits of one Publish request and its messages.
// https://cloud.google.com/pubsub/quotas#resource_limits
const (
	maxPublishMessages = 1000
	maxPublishBytes    = 9 << 20
	maxAttributes      = 100
	maxAttributeValue  = 1024
	publishTimeout     = 30 * time.Second
)

// Topic is the quarantine's fallback: the raw payload with its attributes, as many
// as fit, and before them quarantineReason, quarantineDetail, quarantineSubscription,
// quarantineMessageId and quarantinePublishTime (µs).
type Topic struct {
	Conn         grpc.ClientConnInterface
	Name         string // projects/P/topics/T
	Subscription string // where the messages came from
}

// Publish returns nil when the topic has them all.
func (t *Topic) Publish(ctx context.Context, rejected []ingest.Rejected) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	client := pubsubpb.NewPublisherClient(t.Conn)
	req, size := &pubsubpb.PublishRequest{Topic: t.Name}, 0
	for _, r := range rejected {
		m := t.message(r)
		n := proto.Size(m)
		if len(req.Messages) == maxPublishMessages || size > 0 && size+n > maxPublishBytes {
			if _, err := client.Publish(ctx, req); err != nil {
				return err
			}
			req.Messages, size = nil, 0
		}
		req.Messages, size = append(req.Messages, m), size+n
	}
	if len(req.Messages) == 0 {
		return nil
	}
	_, err := client.Publish(ctx, req)
	return err
}

func (t *Topic) message(r ingest.Rejected) *pubsubpb.PubsubMessage {
	attributes := map[string]string{
		"quarantineReason":       string(r.Why.Reason),
		"quarantineDetail":       cut(r.Why.Detail),
		"quarantineSubscription": cut(t.Subscription),
		"quarantineMessageId":    cut(string(r.Message.ID)),
		"quarantinePublishTime":  strconv.FormatInt(r.Message.PublishTime, 10),
	}
	for _, a := range r.Message.Attributes {
		if len(attributes) == maxAttributes {
			break
		}
		if _, ours := attributes[string(a.Key)]; !ours {
			attributes[string(a.Key)] = cut(string(a.Value))
		}
	}
	return &pubsubpb.PubsubMessage{Data: r.Message.Data, Attributes: attributes}
}

// cut shortens s to what an attribute may hold.
func cut(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxAttributeValue)], "")
}

var _ ingest.Topic = (*Topic)(nil)
