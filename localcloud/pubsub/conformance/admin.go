package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// topicDeleted: the subscription stays, with what it has not acknowledged.
func topicDeleted(t *testing.T, w *world) {
	w.create(t)
	w.publish(t, text("a"))
	if err := w.client.TopicAdminClient.DeleteTopic(within(t), &pubsubpb.DeleteTopicRequest{Topic: w.topic}); err != nil {
		t.Fatal(err)
	}
	s, err := w.client.SubscriptionAdminClient.GetSubscription(within(t), &pubsubpb.GetSubscriptionRequest{Subscription: w.sub})
	if err != nil || s.Topic != "_deleted-topic_" {
		t.Errorf("its topic is %q, %v", s.GetTopic(), err)
	}
	w.ack(t, w.sub, w.pull(t, w.sub, 1)...)
}

func updateSubscription(t *testing.T, w *world) {
	w.create(t)
	admin := w.client.SubscriptionAdminClient
	s, err := admin.UpdateSubscription(within(t), &pubsubpb.UpdateSubscriptionRequest{
		Subscription: &pubsubpb.Subscription{Name: w.sub, AckDeadlineSeconds: 42, MessageRetentionDuration: durationpb.New(time.Hour)},
		UpdateMask:   &fieldmaskpb.FieldMask{Paths: []string{"ack_deadline_seconds", "message_retention_duration"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.AckDeadlineSeconds != 42 || s.MessageRetentionDuration.AsDuration() != time.Hour || s.Topic != w.topic {
		t.Errorf("updated to %v", s)
	}
	for _, paths := range [][]string{nil, {"no_such_field"}, {"topic"}} {
		_, err = admin.UpdateSubscription(within(t), &pubsubpb.UpdateSubscriptionRequest{
			Subscription: &pubsubpb.Subscription{Name: w.sub, Topic: w.topic}, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
		})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("an update of %q answers %v", paths, err)
		}
	}
}

func listing(t *testing.T, w *world) {
	w.create(t)
	topics := w.client.TopicAdminClient.ListTopics(within(t), &pubsubpb.ListTopicsRequest{Project: "projects/" + w.Project, PageSize: 1})
	found := false
	for {
		topic, err := topics.Next()
		if err == iterator.Done {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found = found || topic.Name == w.topic
	}
	if !found {
		t.Error("the topic is not listed")
	}
	subs := w.client.TopicAdminClient.ListTopicSubscriptions(within(t), &pubsubpb.ListTopicSubscriptionsRequest{Topic: w.topic})
	if name, err := subs.Next(); name != w.sub || err != nil {
		t.Errorf("the topic's subscription is %q, %v", name, err)
	}
}

// permissions: what a start-up check asks for.
func permissions(t *testing.T, w *world) {
	w.create(t)
	want := []string{"pubsub.subscriptions.consume"}
	r, err := w.client.SubscriptionAdminClient.TestIamPermissions(within(t), &iampb.TestIamPermissionsRequest{Resource: w.sub, Permissions: want})
	if err != nil || !slices.Equal(r.Permissions, want) {
		t.Errorf("granted are %q, %v", r.GetPermissions(), err)
	}
	r, err = w.client.SubscriptionAdminClient.TestIamPermissions(within(t),
		&iampb.TestIamPermissionsRequest{Resource: w.subName("absent"), Permissions: want})
	if err != nil || len(r.Permissions) > 0 { // "an empty set of permissions, not a NOT_FOUND error"
		t.Errorf("on what is not there are granted %q, %v", r.GetPermissions(), err)
	}
}

// notFound: the code everywhere, and the service's text.
func notFound(t *testing.T, w *world) {
	topics, subs := w.client.TopicAdminClient, w.client.SubscriptionAdminClient
	for name, call := range map[string]func(context.Context) error{
		"GetTopic": func(ctx context.Context) error {
			_, err := topics.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: w.topic})
			return err
		},
		"Publish": func(ctx context.Context) error {
			_, err := topics.Publish(ctx, &pubsubpb.PublishRequest{Topic: w.topic, Messages: []*pubsubpb.PubsubMessage{text("a")}})
			return err
		},
		"DeleteTopic": func(ctx context.Context) error {
			return topics.DeleteTopic(ctx, &pubsubpb.DeleteTopicRequest{Topic: w.topic})
		},
		"CreateSubscription": func(ctx context.Context) error {
			_, err := subs.CreateSubscription(ctx, &pubsubpb.Subscription{Name: w.sub, Topic: w.topic})
			return err
		},
		"GetSubscription": func(ctx context.Context) error {
			_, err := subs.GetSubscription(ctx, &pubsubpb.GetSubscriptionRequest{Subscription: w.sub})
			return err
		},
		"Pull": func(ctx context.Context) error {
			_, err := subs.Pull(ctx, &pubsubpb.PullRequest{Subscription: w.sub, MaxMessages: 1})
			return err
		},
		"DeleteSubscription": func(ctx context.Context) error {
			return subs.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: w.sub})
		},
		"StreamingPull": func(ctx context.Context) error {
			_, err := w.stream(t, &pubsubpb.StreamingPullRequest{}).Recv()
			return err
		},
	} {
		err := call(within(t))
		if status.Code(err) != codes.NotFound {
			t.Errorf("%s answers %v", name, err)
		}
		if text := status.Convert(err).Message(); w.Oracle != Emulator && !strings.Contains(text, "Resource not found (resource="+w.prefix) {
			t.Errorf("%s says %q", name, text) // the emulator has texts of its own
		}
	}
}

func alreadyExists(t *testing.T, w *world) {
	w.create(t)
	_, err := w.client.TopicAdminClient.CreateTopic(within(t), &pubsubpb.Topic{Name: w.topic})
	if status.Code(err) != codes.AlreadyExists {
		t.Errorf("a second topic answers %v", err)
	}
	_, err = w.client.SubscriptionAdminClient.CreateSubscription(within(t), &pubsubpb.Subscription{Name: w.sub, Topic: w.topic})
	if status.Code(err) != codes.AlreadyExists {
		t.Errorf("a second subscription answers %v", err)
	}
}
