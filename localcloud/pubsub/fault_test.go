package pubsub_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/localcloud/fault"
	"iotbridge/localcloud/pubsub"
)

var unavailable = status.Error(codes.Unavailable, "injected")

func struck(t *testing.T, h *fault.Handle, want int) {
	t.Helper()
	if got := h.Fired(); got != want {
		t.Errorf("the fault struck %d times, want %d", got, want)
	}
	h.Remove()
}

// A Publish that fails before the work stores nothing; one whose answer is lost has
// stored, so that the publisher's second try is a second message.
func TestB41_PublishAnswerLost(t *testing.T) {
	var faults fault.Injector
	c := start(t, newFile(t), pubsub.Options{Faults: &faults})
	c.create(t)
	req := &pubsubpb.PublishRequest{Topic: topicName, Messages: []*pubsubpb.PubsubMessage{{Data: []byte("x")}}}
	for _, test := range []struct {
		rule   fault.Rule
		stored int64
	}{
		{fault.Rule{Method: "Publish", Times: 1, Err: unavailable}, 0},
		{fault.Rule{Method: "Publish", Times: 1, Err: unavailable, After: true}, 1},
	} {
		h := faults.Add(test.rule)
		before := c.server.Stats()[subName].Unacked
		if _, err := c.pub.Publish(within(t), req); status.Code(err) != codes.Unavailable {
			t.Errorf("answered %v", err)
		}
		if n := c.server.Stats()[subName].Unacked - before; n != test.stored {
			t.Errorf("%d messages were stored, want %d", n, test.stored)
		}
		struck(t, h, 1)
	}
	// No answer at all.
	arrived := make(chan struct{})
	h := faults.Add(fault.Rule{Method: "Publish", After: true, Match: func(any) bool { close(arrived); return true }})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer := make(chan error, 1)
	go func() {
		_, err := c.pub.Publish(ctx, req)
		answer <- err
	}()
	<-arrived
	select {
	case err := <-answer:
		t.Errorf("answered %v", err)
	case <-time.After(50 * time.Millisecond):
		cancel()
		if err := <-answer; status.Code(err) != codes.Canceled {
			t.Errorf("answered %v", err)
		}
	}
	struck(t, h, 1)
}

// An acknowledgement that did not happen brings the message back, and it can be
// acknowledged again; one whose answer was lost has happened.
func TestB42_AckLost(t *testing.T) {
	var faults fault.Injector
	c := start(t, newFile(t), pubsub.Options{Faults: &faults, MinAckDeadline: time.Second})
	c.create(t, func(s *pubsubpb.Subscription) { s.AckDeadlineSeconds = 1 })
	c.publish(t, 0, 2)
	got := c.pull(t, 2)
	try := func(m *pubsubpb.ReceivedMessage, rule fault.Rule) {
		t.Helper()
		h := faults.Add(rule)
		_, err := c.sub.Acknowledge(within(t), &pubsubpb.AcknowledgeRequest{Subscription: subName, AckIds: []string{m.AckId}})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("answered %v", err)
		}
		struck(t, h, 1)
	}
	try(got[0], fault.Rule{Method: "Acknowledge", Err: unavailable})
	try(got[1], fault.Rule{Method: "Acknowledge", Err: unavailable, After: true})
	again := c.pull(t, 1)[0]
	if again.Message.MessageId != got[0].Message.MessageId {
		t.Errorf("message %s came again, want %s", again.Message.MessageId, got[0].Message.MessageId)
	}
	c.ack(t, again)
	c.ack(t, got[1])
	if n := c.server.Stats()[subName].Unacked; n != 0 {
		t.Errorf("%d are unacknowledged", n)
	}
}

func (c *cloud) stream(t *testing.T, first *pubsubpb.StreamingPullRequest) pubsubpb.Subscriber_StreamingPullClient {
	t.Helper()
	s := must[pubsubpb.Subscriber_StreamingPullClient](t)(c.sub.StreamingPull(within(t)))
	first.Subscription = subName
	if err := s.Send(first); err != nil {
		t.Fatal(err)
	}
	return s
}

// Streams that are refused, cut, or lose a response: everything comes in the end.
func TestB44_StreamsBreak(t *testing.T) {
	var faults fault.Injector
	c := start(t, newFile(t), pubsub.Options{Faults: &faults, MinAckDeadline: time.Second})
	c.create(t)
	const n = 60
	c.publish(t, 0, n)
	refusal := faults.Add(fault.Rule{Method: "StreamingPull.open", Times: 1, Err: unavailable})
	cut := faults.Add(fault.Rule{Method: "StreamingPull", From: 2, Times: 1, Err: unavailable})
	lost := faults.Add(fault.Rule{Method: "StreamingPull", From: 1, Times: 1, After: true})
	request := faults.Add(fault.Rule{Method: "StreamingPull.request", From: 2, Times: 1, Err: unavailable})
	seen := map[string]bool{}
	broken := 0
	open := func() pubsubpb.Subscriber_StreamingPullClient {
		return c.stream(t, &pubsubpb.StreamingPullRequest{StreamAckDeadlineSeconds: 1, MaxOutstandingMessages: 10})
	}
	s := open()
	for len(seen) < n {
		r, err := s.Recv()
		if err != nil {
			if status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
			broken++
			s = open()
			continue
		}
		for _, m := range r.ReceivedMessages {
			seen[m.Message.MessageId] = true
		}
		if err := s.Send(&pubsubpb.StreamingPullRequest{AckIds: ackIDs(r.ReceivedMessages)}); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	for _, h := range []*fault.Handle{refusal, cut, lost, request} {
		struck(t, h, 1)
	}
	if broken < 2 { // the cut and the refused request may meet in one stream
		t.Errorf("%d streams broke", broken)
	}
}

// Streams, pulls and publishers at once, some messages handed back: each message is
// acknowledged, and the counts come out even.
func TestManyAtOnce(t *testing.T) {
	c := start(t, newFile(t), pubsub.Options{})
	c.create(t)
	const publishers, each = 4, 500
	var all errgroup.Group
	for range publishers {
		all.Go(func() error {
			for range each / 50 {
				if _, err := c.pub.Publish(t.Context(), request(50)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var mu sync.Mutex
	acked := map[string]bool{}
	for reader := range 4 {
		all.Go(func() error {
			s, err := c.sub.StreamingPull(ctx)
			if err != nil {
				return err
			}
			err = s.Send(&pubsubpb.StreamingPullRequest{Subscription: subName, StreamAckDeadlineSeconds: 60, MaxOutstandingMessages: 100})
			for n := 0; err == nil; n++ {
				r, e := s.Recv()
				if ctx.Err() != nil {
					return nil
				}
				if e != nil {
					return fmt.Errorf("reader %d: %w", reader, e)
				}
				ids := ackIDs(r.ReceivedMessages)
				if n%5 == 4 {
					err = s.Send(&pubsubpb.StreamingPullRequest{ModifyDeadlineAckIds: ids, ModifyDeadlineSeconds: make([]int32, len(ids))})
					continue
				}
				if _, err := c.sub.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: subName, AckIds: ids}); err != nil {
					return err
				}
				mu.Lock()
				for _, m := range r.ReceivedMessages {
					if acked[m.Message.MessageId] {
						t.Errorf("message %s came after its acknowledgement", m.Message.MessageId)
					}
					acked[m.Message.MessageId] = true
				}
				if len(acked) == publishers*each {
					cancel()
				}
				mu.Unlock()
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	if st := c.server.Stats()[subName]; st.Unacked != 0 || st.Leased != 0 {
		t.Errorf("in the end: %+v", st)
	}
}

// What is not served is refused, never ignored.
func TestRefused(t *testing.T) {
	c := start(t, newFile(t), pubsub.Options{})
	c.create(t)
	for name, change := range map[string]func(*pubsubpb.Subscription){
		"filter": func(s *pubsubpb.Subscription) { s.Filter = `attributes.a = "b"` },
		"push": func(s *pubsubpb.Subscription) {
			s.PushConfig = &pubsubpb.PushConfig{PushEndpoint: "https://example.com"}
		},
		"export": func(s *pubsubpb.Subscription) { s.BigqueryConfig = &pubsubpb.BigQueryConfig{Table: "p.d.t"} },
		"transforms": func(s *pubsubpb.Subscription) {
			s.MessageTransforms = []*pubsubpb.MessageTransform{{Disabled: true}}
		},
	} {
		s := &pubsubpb.Subscription{Name: subName + "-" + name, Topic: topicName}
		change(s)
		if _, err := c.sub.CreateSubscription(within(t), s); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s answers %v", name, err)
		}
	}
	_, err := c.sub.Seek(within(t), &pubsubpb.SeekRequest{
		Subscription: subName,
		Target:       &pubsubpb.SeekRequest_Snapshot{Snapshot: "projects/p/snapshots/s"},
	})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("a snapshot answers %v", err)
	}
}
