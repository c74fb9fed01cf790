package conformance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/durationpb"
)

func publishPullAck(t *testing.T, w *world) {
	w.create(t)
	before := time.Now()
	ids := w.publish(t, &pubsubpb.PubsubMessage{Data: []byte("one"), Attributes: map[string]string{"deviceId": "d1", "subFolder": ""}},
		&pubsubpb.PubsubMessage{Attributes: map[string]string{"only": "attributes <&> ü"}})
	got := w.pull(t, w.sub, 2)
	slices.SortFunc(got, func(a, b *pubsubpb.ReceivedMessage) int { return len(b.Message.Data) - len(a.Message.Data) })
	first, second := got[0].Message, got[1].Message
	if string(first.Data) != "one" || first.Attributes["deviceId"] != "d1" || first.MessageId != ids[0] {
		t.Errorf("the first message came as %v", first)
	}
	if v, ok := first.Attributes["subFolder"]; !ok || v != "" {
		t.Errorf("the empty attribute came as %q, %v", v, ok)
	}
	if len(second.Data) != 0 || second.Attributes["only"] != "attributes <&> ü" || second.MessageId != ids[1] {
		t.Errorf("the second message came as %v", second)
	}
	if d := first.PublishTime.AsTime().Sub(before); d < -time.Minute || d > time.Minute {
		t.Errorf("publish time is %v from the client's clock", d)
	}
	if got[0].DeliveryAttempt != 0 {
		t.Errorf("delivery attempt %d without a dead-letter policy", got[0].DeliveryAttempt)
	}
	w.ack(t, w.sub, got...)
	w.ack(t, w.sub, got...) // again is no error
}

func fanOut(t *testing.T, w *world) {
	w.create(t)
	second := w.subName("second")
	w.createSub(t, &pubsubpb.Subscription{Name: second, Topic: w.topic})
	w.publish(t, text("a"), text("b"))
	w.ack(t, w.sub, w.pull(t, w.sub, 2)...)
	if got := texts(w.pull(t, second, 2)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the second subscription got %q", got)
	}
}

// stockClient goes the way that most programs go.
func stockClient(t *testing.T, w *world) {
	w.create(t)
	const n = 1000
	p := w.client.Publisher(w.topic)
	defer p.Stop()
	results := make([]*pubsub.PublishResult, n)
	for i := range results {
		results[i] = p.Publish(within(t), &pubsub.Message{Data: []byte(fmt.Sprint(i))})
	}
	sent := map[string]bool{}
	for _, r := range results {
		id, err := r.Get(within(t))
		if err != nil {
			t.Fatal(err)
		}
		sent[id] = true
	}
	if len(sent) != n {
		t.Errorf("%d messages have %d ids", n, len(sent))
	}
	ctx, cancel := context.WithCancel(within(t))
	var left atomic.Int64
	left.Store(n)
	seen := make(chan string, 2*n)
	err := w.client.Subscriber(w.sub).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		seen <- m.ID
		m.Ack()
		if left.Add(-1) == 0 {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	close(seen)
	for id := range seen {
		delete(sent, id)
	}
	if len(sent) > 0 {
		t.Errorf("%d messages did not come", len(sent))
	}
}

func redeliveryAfterDeadline(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, text("a"))
	first := w.pull(t, w.sub, 1)[0]
	w.modify(t, 1, first)
	second := w.pull(t, w.sub, 1)[0]
	if second.Message.MessageId != first.Message.MessageId || second.AckId == first.AckId {
		t.Errorf("redelivered as %v, was %v", second, first)
	}
	w.ack(t, w.sub, second)
}

func handedBackAtOnce(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, text("a"))
	first := w.pull(t, w.sub, 1)[0]
	w.modify(t, 600, first)
	start := time.Now()
	w.modify(t, 0, first)
	second := w.pull(t, w.sub, 1)[0]
	if second.Message.MessageId != first.Message.MessageId || time.Since(start) > 10*time.Second {
		t.Errorf("redelivered %v after %v", second, time.Since(start))
	}
}

func retryPolicy(t *testing.T, w *world) {
	w.create(t, func(s *pubsubpb.Subscription) {
		s.RetryPolicy = &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(2 * time.Second), MaximumBackoff: durationpb.New(4 * time.Second)}
	})
	w.publish(t, text("a"))
	first := w.pull(t, w.sub, 1)[0]
	start := time.Now()
	w.modify(t, 0, first)
	w.pull(t, w.sub, 1)
	if d := time.Since(start); d < time.Second {
		t.Errorf("redelivered after %v, the policy says 2s", d)
	}
}

func withDeadLetters(topic string) func(*pubsubpb.Subscription) {
	return func(s *pubsubpb.Subscription) {
		s.DeadLetterPolicy = &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topic, MaxDeliveryAttempts: 5}
	}
}

func deliveryAttempt(t *testing.T, w *world) {
	dead := w.topicName("dead")
	w.createTopic(t, &pubsubpb.Topic{Name: dead})
	w.create(t, withDeadLetters(dead))
	w.publish(t, text("a"))
	for attempt := int32(1); attempt <= 3; attempt++ {
		m := w.pull(t, w.sub, 1)[0]
		if m.DeliveryAttempt != attempt {
			t.Fatalf("attempt %d says %d", attempt, m.DeliveryAttempt)
		}
		w.modify(t, 0, m)
	}
}

func deadLetter(t *testing.T, w *world) {
	dead, grave := w.topicName("dead"), w.subName("grave")
	w.createTopic(t, &pubsubpb.Topic{Name: dead})
	w.createSub(t, &pubsubpb.Subscription{Name: grave, Topic: dead})
	w.create(t, withDeadLetters(dead))
	w.publish(t, &pubsubpb.PubsubMessage{Data: []byte("poison"), Attributes: map[string]string{"deviceId": "d1"}})
	s := w.stream(t, &pubsubpb.StreamingPullRequest{})
	for range 5 {
		m := receive(t, s)[0]
		if err := s.Send(&pubsubpb.StreamingPullRequest{ModifyDeadlineAckIds: []string{m.AckId}, ModifyDeadlineSeconds: []int32{0}}); err != nil {
			t.Fatal(err)
		}
	}
	m := w.pull(t, grave, 1)[0].Message
	if string(m.Data) != "poison" || m.Attributes["deviceId"] != "d1" || m.Attributes["CloudPubSubDeadLetterSourceDeliveryCount"] != "5" {
		t.Errorf("the dead letter is %v", m)
	}
}

func orderingKeys(t *testing.T, w *world) {
	w.create(t, func(s *pubsubpb.Subscription) { s.EnableMessageOrdering = true })
	var all []*pubsubpb.PubsubMessage
	for i := range 20 {
		for _, key := range []string{"a", "b"} {
			all = append(all, &pubsubpb.PubsubMessage{Data: fmt.Appendf(nil, "%02d", i), OrderingKey: key})
		}
	}
	w.publish(t, all...)
	s := w.stream(t, &pubsubpb.StreamingPullRequest{})
	next := map[string]int{}
	handedBack := false // from key a's eighth on: what came with it has to come after it again
	for next["a"]+next["b"] < 40 {
		for _, m := range receive(t, s) {
			key := m.Message.OrderingKey
			n, err := strconv.Atoi(string(m.Message.Data))
			if err != nil {
				t.Fatal(err)
			}
			req := &pubsubpb.StreamingPullRequest{AckIds: []string{m.AckId}}
			switch {
			case n < next[key]: // a copy
			case key == "a" && (n == 7 && !handedBack || n > 7 && next["a"] == 7):
				handedBack = true
				req = &pubsubpb.StreamingPullRequest{ModifyDeadlineAckIds: []string{m.AckId}, ModifyDeadlineSeconds: []int32{0}}
			case n > next[key]:
				t.Fatalf("key %s: %d came before %d was acknowledged", key, n, next[key])
			default:
				next[key]++
			}
			if err := s.Send(req); err != nil {
				t.Fatal(err)
			}
		}
	}
}
