package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func publishLimits(t *testing.T, w *world) {
	w.create(t)
	attributes := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint("k", i)] = "v"
		}
		return m
	}
	many := make([]*pubsubpb.PubsubMessage, 1001)
	for i := range many {
		many[i] = text("x")
	}
	for _, c := range []struct {
		name     string
		messages []*pubsubpb.PubsubMessage
		want     codes.Code
	}{
		{"no message", nil, codes.InvalidArgument},
		{"empty message", []*pubsubpb.PubsubMessage{{}}, codes.InvalidArgument},
		{"1000 messages", many[:1000], codes.OK},
		{"1001 messages", many, codes.InvalidArgument},
		{"9.9 MB", []*pubsubpb.PubsubMessage{text(strings.Repeat("x", 9_900_000))}, codes.OK},
		{"10.1 MB", []*pubsubpb.PubsubMessage{text(strings.Repeat("x", 10_100_000))}, codes.InvalidArgument},
		{"100 attributes", []*pubsubpb.PubsubMessage{{Attributes: attributes(100)}}, codes.OK},
		{"101 attributes", []*pubsubpb.PubsubMessage{{Attributes: attributes(101)}}, codes.InvalidArgument},
		{"key of 256", []*pubsubpb.PubsubMessage{{Attributes: map[string]string{strings.Repeat("k", 256): ""}}}, codes.OK},
		{"key of 257", []*pubsubpb.PubsubMessage{{Attributes: map[string]string{strings.Repeat("k", 257): ""}}}, codes.InvalidArgument},
		{"value of 1024", []*pubsubpb.PubsubMessage{{Attributes: map[string]string{"k": strings.Repeat("v", 1024)}}}, codes.OK},
		{"value of 1025", []*pubsubpb.PubsubMessage{{Attributes: map[string]string{"k": strings.Repeat("v", 1025)}}}, codes.InvalidArgument},
	} {
		if w.excepted(t, "PublishLimits/"+c.name) {
			continue
		}
		_, err := w.client.TopicAdminClient.Publish(within(t), &pubsubpb.PublishRequest{Topic: w.topic, Messages: c.messages})
		if status.Code(err) != c.want {
			t.Errorf("%s answers %.200v, want %v", c.name, err, c.want)
		}
	}
}

func invalidArguments(t *testing.T, w *world) {
	w.create(t)
	topics, subs := w.client.TopicAdminClient, w.client.SubscriptionAdminClient
	create := func(deadline int32) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := subs.CreateSubscription(ctx, &pubsubpb.Subscription{Name: w.subName("other"), Topic: w.topic, AckDeadlineSeconds: deadline})
			return err
		}
	}
	stream := func(reqs ...*pubsubpb.StreamingPullRequest) func(context.Context) error {
		return func(context.Context) error {
			s := w.stream(t, reqs[0])
			for _, r := range reqs[1:] {
				if err := s.Send(r); err != nil {
					break // Recv knows why
				}
			}
			for {
				if _, err := s.Recv(); err != nil {
					return err
				}
			}
		}
	}
	for name, call := range map[string]func(context.Context) error{
		"a short topic name": func(ctx context.Context) error {
			_, err := topics.CreateTopic(ctx, &pubsubpb.Topic{Name: "projects/" + w.Project + "/topics/ab"})
			return err
		},
		"a topic name that begins with goog": func(ctx context.Context) error {
			_, err := topics.CreateTopic(ctx, &pubsubpb.Topic{Name: "projects/" + w.Project + "/topics/google-" + w.prefix})
			return err
		},
		"a deadline of 9 s":   create(9),
		"a deadline of 601 s": create(601),
		"a pull of none": func(ctx context.Context) error {
			_, err := subs.Pull(ctx, &pubsubpb.PullRequest{Subscription: w.sub})
			return err
		},
		"an ack without ids": func(ctx context.Context) error {
			return subs.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: w.sub})
		},
		"a malformed ack id": func(ctx context.Context) error {
			return subs.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: w.sub, AckIds: []string{"no such id"}})
		},
		"a modack of 601 s": func(ctx context.Context) error {
			return subs.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: w.sub, AckIds: []string{"x"}, AckDeadlineSeconds: 601})
		},
		"a stream deadline of 9 s": stream(&pubsubpb.StreamingPullRequest{StreamAckDeadlineSeconds: 9}),
		"a stream's second credit": stream(&pubsubpb.StreamingPullRequest{}, &pubsubpb.StreamingPullRequest{MaxOutstandingMessages: 9}),
		"unequal modack lists":     stream(&pubsubpb.StreamingPullRequest{}, &pubsubpb.StreamingPullRequest{ModifyDeadlineSeconds: []int32{1}}),
	} {
		if w.excepted(t, "InvalidArguments/"+name) {
			continue
		}
		if err := call(within(t)); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s answers %v", name, err)
		}
	}
}
