package pubsub_test

import (
	"context"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"iotbridge/localcloud/pubsub"
)

// A call that its client has given up gets no message: it would be lost for a lease.
func TestWhoHasGoneAwayIsGivenNothing(t *testing.T) {
	c := start(t, newFile(t), pubsub.Options{})
	c.create(t)
	c.publish(t, 0, 1)
	req := &pubsubpb.PullRequest{Subscription: subName, MaxMessages: 1}
	back := &pubsubpb.ModifyAckDeadlineRequest{Subscription: subName, AckIds: ackIDs(c.pull(t, 1))}
	if _, err := c.sub.ModifyAckDeadline(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := c.server.Pull(gone, req); err == nil {
		t.Errorf("a call that nobody waits for got %d messages", len(got.ReceivedMessages))
	}
	got, err := c.sub.Pull(t.Context(), req)
	if err != nil || len(got.ReceivedMessages) != 1 {
		t.Errorf("the next call got %d messages, %v", len(got.GetReceivedMessages()), err)
	}
}
