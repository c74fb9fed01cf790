package pubsub

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"iotbridge/ingest"
	"iotbridge/localcloud"
	"iotbridge/schema"
)

// The topic takes whatever a subscription delivers, in requests that the service takes.
func TestB61_TopicTakesAllThatWasRejected(t *testing.T) {
	cloud, err := localcloud.Open(t.Context(), localcloud.Options{Dir: t.TempDir(), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- cloud.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	conn, err := Dial(ctx, cloud.PubSub())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	topic := &Topic{Conn: conn, Name: "projects/p/topics/rejected", Subscription: subscription}
	if _, err := pubsubpb.NewPublisherClient(conn).CreateTopic(ctx, &pubsubpb.Topic{Name: topic.Name}); err != nil {
		t.Fatal(err)
	}
	subscriber := pubsubpb.NewSubscriberClient(conn)
	back := &pubsubpb.Subscription{Name: "projects/p/subscriptions/rejected", Topic: topic.Name, AckDeadlineSeconds: 600} // nothing comes twice
	if _, err := subscriber.CreateSubscription(ctx, back); err != nil {
		t.Fatal(err)
	}

	var most []schema.Attribute
	for i := range 100 {
		most = append(most, schema.Attribute{Key: fmt.Appendf(nil, "key%d", i), Value: bytes.Repeat([]byte{0}, 1024)})
	}
	why := schema.NewRejection(schema.MalformedBody, "byte 0")
	want := map[string]bool{}
	var rejected []ingest.Rejected
	for i := range 1200 {
		m := schema.Message{ID: fmt.Append(nil, i), Data: []byte("no JSON")}
		if i < 150 {
			m.Attributes = most
		}
		rejected, want[string(m.ID)] = append(rejected, ingest.Rejected{Message: m, Why: why}), true
	}
	if err := topic.Publish(ctx, rejected); err != nil {
		t.Fatal(err)
	}
	for len(want) > 0 {
		got, err := subscriber.Pull(ctx, &pubsubpb.PullRequest{Subscription: back.Name, MaxMessages: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got.ReceivedMessages {
			id := r.Message.Attributes["quarantineMessageId"]
			if !want[id] || string(r.Message.Data) != "no JSON" || r.Message.Attributes["quarantineReason"] != string(schema.MalformedBody) {
				t.Fatalf("message %q, reason %q", id, r.Message.Attributes["quarantineReason"])
			}
			delete(want, id)
		}
	}
}
