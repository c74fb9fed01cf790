package conformance

import (
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (w *world) seek(t *testing.T, at time.Time) {
	t.Helper()
	_, err := w.client.SubscriptionAdminClient.Seek(within(t), &pubsubpb.SeekRequest{
		Subscription: w.sub, Target: &pubsubpb.SeekRequest_Time{Time: timestamppb.New(at)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// oldest is the earliest publish time.
func oldest(messages []*pubsubpb.ReceivedMessage) time.Time {
	at := messages[0].Message.PublishTime.AsTime()
	for _, m := range messages {
		if u := m.Message.PublishTime.AsTime(); u.Before(at) {
			at = u
		}
	}
	return at
}

func seekBack(t *testing.T, w *world) {
	w.create(t, func(s *pubsubpb.Subscription) { s.RetainAckedMessages = true })
	w.publish(t, text("a"), text("b"))
	got := w.pull(t, w.sub, 2)
	w.ack(t, w.sub, got...)
	w.seek(t, oldest(got).Add(-time.Minute))
	again := w.pull(t, w.sub, 2)
	if !slices.Equal(texts(again), []string{"a", "b"}) {
		t.Errorf("after the seek came %q", texts(again))
	}
}

func seekForward(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, text("a"), text("b"))
	got := w.pull(t, w.sub, 1)
	w.seek(t, oldest(got).Add(5*time.Second))
	if w.Oracle != Local { // what is published before that time may count as past, too
		<-time.After(time.Until(oldest(got).Add(2 * time.Second)))
	}
	w.publish(t, text("c"))
	if got := texts(w.pull(t, w.sub, 1)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("after the seek came %q", got)
	}
}

// durability ends the service after answers to publishes and acknowledgements.
func durability(t *testing.T, w *world) {
	if w.Reopen == nil {
		t.Skipf("%s cannot be ended and opened again from here", w.Oracle)
	}
	w.create(t)
	ids := w.publish(t, numbered(100, 0)...)
	got := w.pull(t, w.sub, 100)
	w.ack(t, w.sub, got[:60]...)
	want := map[string]bool{}
	for _, m := range got[60:] {
		want[m.Message.MessageId] = true
	}
	w.Options = w.Reopen(t)
	w.connect(t)
	for _, m := range w.pull(t, w.sub, 40) {
		if !want[m.Message.MessageId] {
			t.Errorf("message %s of %d came after it was acknowledged, or twice", m.Message.MessageId, len(ids))
		}
		delete(want, m.Message.MessageId)
	}
	w.publish(t, text("last"))
	if got := texts(w.pull(t, w.sub, 1)); got[0] != "last" {
		t.Errorf("after all came %q", got)
	}
}
