package conformance

import (
	"bytes"
	"fmt"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func numbered(n, size int) (out []*pubsubpb.PubsubMessage) {
	for i := range n {
		out = append(out, &pubsubpb.PubsubMessage{Data: append(fmt.Appendf(nil, "%05d", i), bytes.Repeat([]byte("x"), size)...)})
	}
	return out
}

func streamManyPerResponse(t *testing.T, w *world) {
	w.create(t)
	const n = 1000
	w.publish(t, numbered(n, 0)...)
	s := w.stream(t, &pubsubpb.StreamingPullRequest{})
	most, seen := 0, map[string]bool{}
	for len(seen) < n {
		got := receive(t, s)
		most = max(most, len(got))
		for _, m := range got {
			seen[m.Message.MessageId] = true
		}
		if err := s.Send(&pubsubpb.StreamingPullRequest{AckIds: ackIDs(got)}); err != nil {
			t.Fatal(err)
		}
	}
	if most < 2 {
		t.Error("no response had more than one message")
	}
}

// flowControl receives n messages of a backlog and holds that never more than limit
// are outstanding. Were the limit ignored, the second response would show it.
func flowControl(t *testing.T, w *world, first *pubsubpb.StreamingPullRequest, n, limit int) {
	s := w.stream(t, first)
	var held []*pubsubpb.ReceivedMessage
	for seen := 0; seen < n; {
		got := receive(t, s)
		seen += len(got)
		held = append(held, got...)
		if len(held) > limit {
			t.Fatalf("%d messages are outstanding, the limit is %d", len(held), limit)
		}
		if len(held) == limit || seen >= n {
			if err := s.Send(&pubsubpb.StreamingPullRequest{AckIds: ackIDs(held)}); err != nil {
				t.Fatal(err)
			}
			held = nil
		}
	}
}

func streamFlowControl(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, numbered(50, 0)...)
	flowControl(t, w, &pubsubpb.StreamingPullRequest{MaxOutstandingMessages: 10}, 50, 10)
}

// Sending stops at or past the limit in bytes: four messages of 30 KB pass 100 KB.
func streamFlowControlBytes(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, numbered(20, 30_000)...)
	flowControl(t, w, &pubsubpb.StreamingPullRequest{MaxOutstandingBytes: 100_000}, 20, 4)
}

// With a credit of one the next message shows that the ack was taken.
func streamAck(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, numbered(5, 0)...)
	s := w.stream(t, &pubsubpb.StreamingPullRequest{MaxOutstandingMessages: 1})
	seen := map[string]bool{}
	for len(seen) < 5 {
		got := receive(t, s)
		for _, m := range got {
			if seen[m.Message.MessageId] {
				t.Errorf("message %s came again", m.Message.MessageId)
			}
			seen[m.Message.MessageId] = true
		}
		if err := s.Send(&pubsubpb.StreamingPullRequest{AckIds: ackIDs(got)}); err != nil {
			t.Fatal(err)
		}
	}
}

func streamNack(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, text("a"))
	s := w.stream(t, &pubsubpb.StreamingPullRequest{})
	first := receive(t, s)[0]
	err := s.Send(&pubsubpb.StreamingPullRequest{ModifyDeadlineAckIds: []string{first.AckId}, ModifyDeadlineSeconds: []int32{0}})
	if err != nil {
		t.Fatal(err)
	}
	if second := receive(t, s)[0]; second.Message.MessageId != first.Message.MessageId || second.AckId == first.AckId {
		t.Errorf("handed back %v, got %v", first, second)
	}
}

func streamPing(t *testing.T, w *world) {
	w.create(t)
	s := w.stream(t, &pubsubpb.StreamingPullRequest{ProtocolVersion: 1})
	if err := s.Send(&pubsubpb.StreamingPullRequest{}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.ReceivedMessages) > 0 {
		t.Errorf("a ping was answered by %v", r)
	}
}

func streamEndsWithSubscription(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, text("a"))
	s := w.stream(t, &pubsubpb.StreamingPullRequest{})
	receive(t, s) // it is open
	err := w.client.SubscriptionAdminClient.DeleteSubscription(within(t), &pubsubpb.DeleteSubscriptionRequest{Subscription: w.sub})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = s.Recv()
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("the stream of a deleted subscription ended with %v", err)
	}
}
