package pubsub_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"iotbridge/gateway"
	"iotbridge/gateway/pubsub"
	"iotbridge/localcloud/fault"
	local "iotbridge/localcloud/pubsub"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, // of the client that BenchmarkPublish compares with
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

const (
	topic        = "projects/p/topics/telemetry"
	subscription = "projects/p/subscriptions/worker"
)

// bed is a Pub/Sub on a loopback port, with one topic and subscription, and a
// publisher to it that runs until the test ends.
type bed struct {
	*pubsub.Publisher
	faults fault.Injector
	holds  gateway.Holds
	conn   *grpc.ClientConn
	stop   func()
}

func newBed(t testing.TB, change ...func(*pubsub.Publisher)) *bed {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pubsub.Dial(t.Context(), l.Addr().String())
	return serve(t, l, conn, err, change)
}

// bubble is a test in time that passes when nothing else happens. Its bed has a pipe
// for a port.
func bubble(t *testing.T, test func(t *testing.T, newBed func(change ...func(*pubsub.Publisher)) *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, func(change ...func(*pubsub.Publisher)) *bed {
			l := bufconn.Listen(1 << 20)
			conn, err := dialPipe(l)
			return serve(t, l, conn, err, change)
		})
	})
}

func dialPipe(l *bufconn.Listener) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
}

func serve(t testing.TB, l net.Listener, conn *grpc.ClientConn, err error, change []func(*pubsub.Publisher)) *bed {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{conn: conn}
	server, err := local.Open(filepath.Join(t.TempDir(), "pubsub.db"), local.Options{Faults: &b.faults})
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(local.ServerOptions()...)
	server.Register(g)
	serving, halt := context.WithCancel(context.Background())
	var cloud errgroup.Group
	cloud.Go(func() error { return server.Run(serving) })
	cloud.Go(func() error { return g.Serve(l) })
	t.Cleanup(func() {
		halt()
		g.Stop()
		if err := cloud.Wait(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	t.Cleanup(func() { conn.Close() })
	b.create(t)

	b.Publisher = &pubsub.Publisher{Conn: b.conn, Holds: &b.holds}
	for _, c := range change {
		c(b.Publisher)
	}
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(running) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

func (b *bed) create(t testing.TB) {
	t.Helper()
	if _, err := pubsubpb.NewPublisherClient(b.conn).CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	if _, err := pubsubpb.NewSubscriberClient(b.conn).CreateSubscription(t.Context(),
		&pubsubpb.Subscription{Name: subscription, Topic: topic, AckDeadlineSeconds: 600}); err != nil {
		t.Fatal(err)
	}
}

// answers gathers what done was called with, by message.
type answers struct {
	mu      sync.Mutex
	got     map[string][]error
	changed chan struct{}
}

func newAnswers() *answers {
	return &answers{got: map[string][]error{}, changed: make(chan struct{}, 1)}
}

func (a *answers) done(message string) func(error) {
	return func(err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.got[message] = append(a.got[message], err)
		select {
		case a.changed <- struct{}{}:
		default:
		}
	}
}

// wait returns the messages that were confirmed and those that were not, when n
// have been answered.
func (a *answers) wait(t testing.TB, n int) (confirmed, failed []string) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		a.mu.Lock()
		answered := len(a.got)
		a.mu.Unlock()
		if answered >= n {
			break
		}
		select {
		case <-a.changed:
		case <-deadline:
			t.Fatalf("%d of %d answered", answered, n)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for m, errs := range a.got {
		switch {
		case len(errs) != 1:
			t.Errorf("%s was answered %d times", m, len(errs))
		case errs[0] == nil:
			confirmed = append(confirmed, m)
		default:
			failed = append(failed, m)
		}
	}
	return confirmed, failed
}

// publish publishes messages from..from+n, each saying its number.
func (b *bed) publish(a *answers, from, n int) {
	for i := from; i < from+n; i++ {
		m := strconv.Itoa(i)
		b.Publish(topic, []gateway.Attribute{{Key: "deviceId", Value: "device" + m}, {Key: "subFolder", Value: ""}}, []byte(m), a.done(m))
	}
}

// landed returns what the topic has, once all of want is there.
func (b *bed) landed(t testing.TB, want []string) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got := map[string]int{}
	missing := func() bool {
		return slices.ContainsFunc(want, func(m string) bool { return got[m] == 0 })
	}
	sub := pubsubpb.NewSubscriberClient(b.conn)
	for missing() {
		resp, err := sub.Pull(ctx, &pubsubpb.PullRequest{Subscription: subscription, MaxMessages: 1000})
		if err != nil {
			t.Fatalf("%d of %d confirmed messages are in the topic: %v", len(got), len(want), err)
		}
		for _, m := range resp.ReceivedMessages {
			data := string(m.Message.Data)
			got[data]++
			if m.Message.Attributes["deviceId"] != "device"+data {
				t.Errorf("message %s has attributes %v", data, m.Message.Attributes)
			}
			if folder, ok := m.Message.Attributes["subFolder"]; !ok || folder != "" {
				t.Errorf("message %s has no empty attribute", data)
			}
		}
	}
	return got
}

// until waits for what nothing announces.
func (b *bed) until(t testing.TB, come func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !come(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
	}
}
