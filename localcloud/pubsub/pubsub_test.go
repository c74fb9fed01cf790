package pubsub_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"iotbridge/localcloud/pubsub"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(childVar); file != "" {
		fmt.Fprintln(os.Stderr, serveForever(file))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, // theirs: the one lives for ever, the other outlives Receive for a while
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreTopFunction("cloud.google.com/go/pubsub/v2.(*messageIterator).streamKeepAliveHandler"))
}

const (
	topicName = "projects/p/topics/telemetry"
	subName   = "projects/p/subscriptions/worker"
)

// cloud is a server on a loopback port, and raw clients of it.
type cloud struct {
	server *pubsub.Server
	addr   string
	pub    pubsubpb.PublisherClient
	sub    pubsubpb.SubscriberClient
	halt   context.CancelFunc // ends Run
	stop   func()
}

// start serves file until the test or stop ends.
func start(t testing.TB, file string, opts pubsub.Options) *cloud {
	t.Helper()
	s, err := pubsub.Open(file, opts)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(pubsub.ServerOptions()...)
	s.Register(g)
	ctx, cancel := context.WithCancel(context.Background())
	var eg errgroup.Group
	eg.Go(func() error { return s.Run(ctx) })
	eg.Go(func() error { return g.Serve(l) })
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(32<<20)))
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	c := &cloud{server: s, addr: l.Addr().String(), pub: pubsubpb.NewPublisherClient(conn), sub: pubsubpb.NewSubscriberClient(conn)}
	c.halt = cancel
	c.stop = func() {
		if stopped {
			return
		}
		stopped = true
		conn.Close()
		cancel()
		g.GracefulStop()
		if err := eg.Wait(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(c.stop)
	return c
}

func newFile(t testing.TB) string { return filepath.Join(t.TempDir(), "pubsub.db") }

// within ends with the test, or in time to say where it hung.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// create makes a topic and a subscription that change may alter.
func (c *cloud) create(t testing.TB, change ...func(*pubsubpb.Subscription)) {
	t.Helper()
	ctx := within(t)
	must[*pubsubpb.Topic](t)(c.pub.CreateTopic(ctx, &pubsubpb.Topic{Name: topicName}))
	config := &pubsubpb.Subscription{Name: subName, Topic: topicName}
	for _, f := range change {
		f(config)
	}
	must[*pubsubpb.Subscription](t)(c.sub.CreateSubscription(ctx, config))
}

// publish publishes n messages in requests of at most 1000.
func (c *cloud) publish(t testing.TB, from, n int) (ids []string) {
	t.Helper()
	ctx := within(t)
	for n > 0 {
		req := &pubsubpb.PublishRequest{Topic: topicName}
		for range min(n, 1000) {
			req.Messages = append(req.Messages, &pubsubpb.PubsubMessage{
				Data: fmt.Appendf(nil, "%d", from), Attributes: map[string]string{"deviceId": "device1"},
			})
			from++
		}
		n -= len(req.Messages)
		ids = append(ids, must[*pubsubpb.PublishResponse](t)(c.pub.Publish(ctx, req)).MessageIds...)
	}
	return ids
}

// pull pulls until it has n messages.
func (c *cloud) pull(t testing.TB, n int) (out []*pubsubpb.ReceivedMessage) {
	t.Helper()
	ctx := within(t)
	for len(out) < n {
		r := must[*pubsubpb.PullResponse](t)(c.sub.Pull(ctx, &pubsubpb.PullRequest{Subscription: subName, MaxMessages: int32(n - len(out))}))
		out = append(out, r.ReceivedMessages...)
	}
	return out
}

func (c *cloud) ack(t testing.TB, messages ...*pubsubpb.ReceivedMessage) {
	t.Helper()
	if _, err := c.sub.Acknowledge(within(t), &pubsubpb.AcknowledgeRequest{Subscription: subName, AckIds: ackIDs(messages)}); err != nil {
		t.Fatal(err)
	}
}

func ackIDs(messages []*pubsubpb.ReceivedMessage) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.AckId)
	}
	return ids
}

func TestPublishPullAck(t *testing.T) {
	c := start(t, newFile(t), pubsub.Options{})
	c.create(t)
	c.publish(t, 0, 2500)
	got := c.pull(t, 2500)
	for i, m := range got {
		if string(m.Message.Data) != fmt.Sprint(i) || m.Message.Attributes["deviceId"] != "device1" {
			t.Fatalf("message %d is %v", i, m)
		}
		if i%1000 == 999 {
			c.ack(t, got[i-999:i+1]...)
		}
	}
	c.ack(t, got[2000:]...)
	if st := c.server.Stats()[subName]; st.Unacked != 0 || st.Leased != 0 {
		t.Errorf("after the last acknowledgement: %+v", st)
	}
}
