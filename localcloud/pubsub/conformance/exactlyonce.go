package conformance

import (
	"context"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// exactlyOnce: an ack id that is not the newest is refused, and says which.
func exactlyOnce(t *testing.T, w *world) {
	w.create(t, func(s *pubsubpb.Subscription) { s.EnableExactlyOnceDelivery = true })
	w.publish(t, text("a"))
	s := w.stream(t, &pubsubpb.StreamingPullRequest{})
	r, err := s.Recv()
	for err == nil && len(r.ReceivedMessages) == 0 {
		r, err = s.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	if !r.SubscriptionProperties.GetExactlyOnceDeliveryEnabled() {
		t.Error("the stream does not say that delivery is exactly once")
	}
	first := r.ReceivedMessages[0]
	w.modify(t, 0, first)
	second := receive(t, s)[0]
	err = w.client.SubscriptionAdminClient.Acknowledge(within(t), &pubsubpb.AcknowledgeRequest{Subscription: w.sub, AckIds: []string{first.AckId}})
	api, ok := apierror.FromError(err)
	if !ok || status.Code(err) != codes.InvalidArgument || api.Metadata()[first.AckId] != "PERMANENT_FAILURE_INVALID_ACK_ID" {
		t.Errorf("a stale ack answers %v", err)
	}
	w.ack(t, w.sub, second)
}

// exactlyOnceStockClient: the client extends leases, acknowledges, and is told that
// each acknowledgement stands.
func exactlyOnceStockClient(t *testing.T, w *world) {
	w.create(t, func(s *pubsubpb.Subscription) { s.EnableExactlyOnceDelivery = true })
	const n = 50
	w.publish(t, numbered(n, 0)...)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var left atomic.Int64
	left.Store(n)
	err := w.client.Subscriber(w.sub).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		if status, err := m.AckWithResult().Get(t.Context()); err != nil || status != pubsub.AcknowledgeStatusSuccess {
			t.Errorf("the acknowledgement of %s answers %v, %v", m.ID, status, err)
		}
		if left.Add(-1) == 0 {
			cancel()
		}
	})
	if err != nil || left.Load() != 0 {
		t.Errorf("%d messages were not acknowledged, %v", left.Load(), err)
	}
}
