package conformance

import (
	"slices"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

func text(s string) *pubsubpb.PubsubMessage { return &pubsubpb.PubsubMessage{Data: []byte(s)} }

// publish publishes and returns the ids.
func (w *world) publish(t *testing.T, messages ...*pubsubpb.PubsubMessage) (ids []string) {
	t.Helper()
	for some := range slices.Chunk(messages, 1000) {
		r, err := w.client.TopicAdminClient.Publish(within(t), &pubsubpb.PublishRequest{Topic: w.topic, Messages: some})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.MessageIds...)
	}
	return ids
}

// pull pulls until n messages are there.
func (w *world) pull(t *testing.T, sub string, n int) (got []*pubsubpb.ReceivedMessage) {
	t.Helper()
	ctx := within(t)
	for len(got) < n {
		r, err := w.client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: sub, MaxMessages: int32(n - len(got))})
		if err != nil {
			t.Fatalf("with %d of %d messages: %v", len(got), n, err)
		}
		got = append(got, r.ReceivedMessages...)
	}
	return got
}

func (w *world) ack(t *testing.T, sub string, messages ...*pubsubpb.ReceivedMessage) {
	t.Helper()
	err := w.client.SubscriptionAdminClient.Acknowledge(within(t), &pubsubpb.AcknowledgeRequest{Subscription: sub, AckIds: ackIDs(messages)})
	if err != nil {
		t.Fatal(err)
	}
}

// modify gives messages another deadline; 0 hands them back.
func (w *world) modify(t *testing.T, seconds int32, messages ...*pubsubpb.ReceivedMessage) {
	t.Helper()
	err := w.client.SubscriptionAdminClient.ModifyAckDeadline(within(t), &pubsubpb.ModifyAckDeadlineRequest{
		Subscription: w.sub, AckIds: ackIDs(messages), AckDeadlineSeconds: seconds,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// stream opens a StreamingPull with the given first request.
func (w *world) stream(t *testing.T, first *pubsubpb.StreamingPullRequest) pubsubpb.Subscriber_StreamingPullClient {
	t.Helper()
	s, err := w.client.SubscriptionAdminClient.StreamingPull(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if first.Subscription == "" {
		first.Subscription = w.sub
	}
	if first.StreamAckDeadlineSeconds == 0 {
		first.StreamAckDeadlineSeconds = 60
	}
	if err := s.Send(first); err != nil {
		t.Fatal(err)
	}
	return s
}

// receive is the messages of the next response that has any.
func receive(t *testing.T, s pubsubpb.Subscriber_StreamingPullClient) []*pubsubpb.ReceivedMessage {
	t.Helper()
	for {
		r, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if len(r.ReceivedMessages) > 0 {
			return r.ReceivedMessages
		}
	}
}

func ackIDs(messages []*pubsubpb.ReceivedMessage) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.AckId)
	}
	return ids
}

// texts is the bodies, sorted.
func texts(messages []*pubsubpb.ReceivedMessage) (out []string) {
	for _, m := range messages {
		out = append(out, string(m.Message.Data))
	}
	slices.Sort(out)
	return out
}
