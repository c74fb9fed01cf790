package mail_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gateway "iotbridge/gateway/pubsub"
	"iotbridge/internal/mail"
	"iotbridge/localcloud/fault"
	"iotbridge/localcloud/pubsub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topic        = "projects/p/topics/telemetry"
	subscription = "projects/p/subscriptions/view"
)

// bed is a Pub/Sub with one topic and one subscription, whose deadline no test outlives.
type bed struct {
	*testing.T
	faults  fault.Injector
	publish pubsubpb.PublisherClient
	pull    pubsubpb.SubscriberClient
	box     *mail.Box
}

func newBed(t *testing.T) *bed {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{T: t}
	server, err := pubsub.Open(filepath.Join(t.TempDir(), "pubsub.db"), pubsub.Options{Faults: &b.faults})
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(pubsub.ServerOptions()...)
	server.Register(g)
	serving, halt := context.WithCancel(context.Background())
	var cloud errgroup.Group
	cloud.Go(func() error { return server.Run(serving) })
	cloud.Go(func() error { return g.Serve(l) })
	conn, err := gateway.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		halt()
		g.Stop()
		if err := cloud.Wait(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	b.publish, b.pull = pubsubpb.NewPublisherClient(conn), pubsubpb.NewSubscriberClient(conn)
	b.box = mail.Open(b.pull, "p")
	if _, err := b.publish.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	b.subscribe(subscription)
	return b
}

func (b *bed) subscribe(name string) {
	b.Helper()
	if _, err := b.pull.CreateSubscription(b.Context(), &pubsubpb.Subscription{Name: name, Topic: topic, AckDeadlineSeconds: 600}); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) send(n int) {
	b.Helper()
	var messages []*pubsubpb.PubsubMessage
	for i := range n {
		messages = append(messages, &pubsubpb.PubsubMessage{Data: fmt.Appendf(nil, "body %d", i), Attributes: map[string]string{"n": fmt.Sprint(i)}})
	}
	if _, err := b.publish.Publish(b.Context(), &pubsubpb.PublishRequest{Topic: topic, Messages: messages}); err != nil {
		b.Fatal(err)
	}
}

// waiting is how many messages nobody has leased; it leases them.
func (b *bed) waiting() int {
	b.Helper()
	look := &mail.Look{Client: b.pull, Subscription: subscription, Most: 1000, Wait: 1 << 40}
	got, err := look.Pull(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return len(got)
}

func TestAViewTakesNothingAway(t *testing.T) {
	b := newBed(t)
	if got, err := b.box.View(t.Context(), subscription, 50); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %d, %v", len(got), err)
	}
	b.send(60)
	got, err := b.box.View(t.Context(), subscription, 50)
	if err != nil || len(got) != 50 {
		t.Fatalf("%d, %v", len(got), err)
	}
	seen := map[string]bool{}
	for _, m := range got {
		if string(m.Data) != "body "+m.Attributes["n"] || m.ID == "" || m.Published.IsZero() {
			t.Errorf("%+v", m)
		}
		seen[m.ID] = true
	}
	if n := b.waiting(); n != 60 || len(seen) != 50 {
		t.Errorf("%d messages wait, want 60; %d were seen", n, len(seen))
	}
}

// The browser goes while the pull is under way: what it was given is handed back.
func TestAViewThatNobodyWaitsForHandsBack(t *testing.T) {
	b := newBed(t)
	b.send(8)
	ctx, cancel := context.WithCancel(t.Context())
	pulls := b.faults.Add(fault.Rule{Method: "Pull", Times: 1, Delay: 1, Match: func(any) bool {
		cancel()
		return true
	}})
	_, _ = b.box.View(ctx, subscription, 50)
	if ctx.Err() == nil || pulls.Fired() == 0 {
		t.Fatal("nobody went")
	}
	if n := b.waiting(); n != 8 {
		t.Errorf("%d messages wait, want 8", n)
	}
	if _, err := b.box.View(ctx, subscription, 50); err == nil {
		t.Error("a view for nobody")
	}
}

func TestAPullThatFailsLaterHandsBackWhatCameBefore(t *testing.T) {
	b := newBed(t)
	b.send(8)
	b.faults.Add(fault.Rule{Method: "Pull", From: 2, Times: 1, Err: status.Error(codes.PermissionDenied, "no")})
	if _, err := b.box.View(t.Context(), subscription, 50); status.Code(err) != codes.PermissionDenied {
		t.Error(err)
	}
	if n := b.waiting(); n != 8 {
		t.Errorf("%d messages wait, want 8", n)
	}
}

func TestSubscriptionsAreFiveHundredAtTheMost(t *testing.T) {
	b := newBed(t)
	for i := range 504 {
		b.subscribe(fmt.Sprintf("projects/p/subscriptions/s%03d", i))
	}
	got, err := b.box.Subscriptions(t.Context())
	if err != nil || len(got) != 500 || got[0] != "projects/p/subscriptions/s000" {
		t.Errorf("%d, %v", len(got), err)
	}
	b.faults.Add(fault.Rule{Method: "ListSubscriptions", Err: status.Error(codes.PermissionDenied, "no")})
	if _, err := b.box.Subscriptions(t.Context()); status.Code(err) != codes.PermissionDenied {
		t.Error(err)
	}
}
