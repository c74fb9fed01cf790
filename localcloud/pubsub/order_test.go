package pubsub

import (
	"slices"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// Of a key one message is under way; the next one comes when it is acknowledged,
// and other keys do not wait for it.
func TestOneMessageAKey(t *testing.T) {
	s := open(t, Options{}, func(c *pubsubpb.Subscription) { c.EnableMessageOrdering = true })
	req := &pubsubpb.PublishRequest{Topic: testTopic}
	for _, text := range []string{"a0", "a1", "b0", "a2", "-", "b1"} {
		m := &pubsubpb.PubsubMessage{Data: []byte(text)}
		if text != "-" {
			m.OrderingKey = text[:1]
		}
		req.Messages = append(req.Messages, m)
	}
	if _, err := s.Publish(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	held := map[string]*pubsubpb.ReceivedMessage{}
	comes := func(want ...string) {
		t.Helper()
		var got []string
		for _, m := range pull(t, s, 100) {
			got = append(got, string(m.Message.Data))
			held[string(m.Message.Data)] = m
		}
		if !slices.Equal(got, want) {
			t.Errorf("came %q, want %q", got, want)
		}
	}
	settle := func(text string, ack bool) {
		t.Helper()
		if ack {
			if err := acknowledge(s, []*pubsubpb.ReceivedMessage{held[text]}); err != nil {
				t.Fatal(err)
			}
			return
		}
		_, err := s.ModifyAckDeadline(t.Context(), &pubsubpb.ModifyAckDeadlineRequest{Subscription: testSub, AckIds: []string{held[text].AckId}})
		if err != nil {
			t.Fatal(err)
		}
	}
	comes("a0", "b0", "-")
	comes()
	settle("a0", false)
	comes("a0")
	settle("b0", true)
	comes("b1")
	settle("a0", true)
	comes("a1")
	settle("a1", true)
	comes("a2")
}
