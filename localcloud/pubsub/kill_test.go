package pubsub_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"iotbridge/localcloud/pubsub"
)

// childVar makes this test binary a server of the file that it names.
const childVar = "PUBSUB_TEST_SERVE"

func serveForever(file string) error {
	s, err := pubsub.Open(file, pubsub.Options{})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	g := grpc.NewServer(pubsub.ServerOptions()...)
	s.Register(g)
	var eg errgroup.Group
	eg.Go(func() error { return s.Run(context.Background()) })
	eg.Go(func() error { return g.Serve(l) })
	fmt.Println(l.Addr())
	return eg.Wait()
}

// books is what the clients of a killed server know for sure.
type books struct {
	mu        sync.Mutex
	published map[string]bool // answered
	acked     map[string]bool // answered
	maybe     map[string]bool // sent to be acknowledged, no answer
}

// TestKill9: whatever the moment, what was answered stands.
func TestKill9(t *testing.T) {
	file := newFile(t)
	c := start(t, file, pubsub.Options{})
	c.create(t)
	c.stop()
	b := &books{published: map[string]bool{}, acked: map[string]bool{}, maybe: map[string]bool{}}
	for range 8 {
		killOnce(t, file, b)
	}
	c = start(t, file, pubsub.Options{})
	left := map[string]bool{}
	for {
		r := must[*pubsubpb.PullResponse](t)(c.sub.Pull(within(t),
			&pubsubpb.PullRequest{Subscription: subName, MaxMessages: 1000, ReturnImmediately: true}))
		if len(r.ReceivedMessages) == 0 {
			break
		}
		for _, m := range r.ReceivedMessages {
			left[m.Message.MessageId] = true
		}
	}
	for id := range b.published {
		if !left[id] && !b.acked[id] && !b.maybe[id] {
			t.Errorf("message %s was published and is lost", id)
		}
	}
	for id := range b.acked {
		if left[id] {
			t.Errorf("message %s was acknowledged and is back", id)
		}
	}
	if st := c.server.Stats()[subName]; st.Unacked != int64(len(left)) {
		t.Errorf("the count says %d, %d came", st.Unacked, len(left))
	}
	t.Logf("%d published, %d acknowledged, %d left", len(b.published), len(b.acked), len(left))
	if len(b.acked) == 0 || len(left) == 0 {
		t.Error("nothing was at stake")
	}
}

// killOnce serves the file in a process of its own, under load, and kills it.
func killOnce(t *testing.T, file string, b *books) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVar+"="+file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the server did not start")
	}
	conn, err := grpc.NewClient(lines.Text(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	pub, sub := pubsubpb.NewPublisherClient(conn), pubsubpb.NewSubscriberClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var load errgroup.Group
	moving := make(chan struct{}, 1000)
	for range 2 {
		load.Go(func() error {
			for {
				req := &pubsubpb.PublishRequest{Topic: topicName, Messages: []*pubsubpb.PubsubMessage{{Data: []byte("x")}, {Data: []byte("y")}, {Data: []byte("z")}}}
				r, err := pub.Publish(ctx, req)
				if err != nil {
					return nil // killed
				}
				b.note(b.published, r.MessageIds)
				select {
				case moving <- struct{}{}:
				default:
				}
			}
		})
	}
	load.Go(func() error {
		for {
			r, err := sub.Pull(ctx, &pubsubpb.PullRequest{Subscription: subName, MaxMessages: 2})
			if err != nil {
				return nil
			}
			var ids []string
			for _, m := range r.ReceivedMessages {
				ids = append(ids, m.Message.MessageId)
			}
			b.note(b.maybe, ids)
			if _, err := sub.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: subName, AckIds: ackIDs(r.ReceivedMessages)}); err != nil {
				return nil
			}
			b.note(b.acked, ids)
		}
	})
	for range 10 + rand.IntN(60) {
		select {
		case <-moving:
		case <-ctx.Done():
			t.Fatal("the server does not move")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := load.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (b *books) note(in map[string]bool, ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		in[id] = true
	}
}

// TestAbandoned opens a copy of file and log as they lie, as after a crash.
func TestAbandoned(t *testing.T) {
	file := newFile(t)
	c := start(t, file, pubsub.Options{})
	c.create(t)
	c.publish(t, 0, 10)
	c.ack(t, c.pull(t, 4)...)
	other := newFile(t)
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(file + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other+suffix, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := start(t, other, pubsub.Options{})
	if st := d.server.Stats()[subName]; st.Unacked != 6 {
		t.Errorf("the copy has %d unacknowledged messages, want 6", st.Unacked)
	}
	for i, m := range d.pull(t, 6) {
		if want := fmt.Sprint(i + 4); string(m.Message.Data) != want {
			t.Errorf("message %d is %q, want %q", i, m.Message.Data, want)
		}
	}
}

// TestOneProcess: a second server on the file is refused in one sentence.
func TestOneProcess(t *testing.T) {
	file := newFile(t)
	c := start(t, file, pubsub.Options{})
	if _, err := pubsub.Open(file, pubsub.Options{}); !errors.Is(err, pubsub.ErrInUse) || !strings.HasPrefix(err.Error(), file) {
		t.Fatalf("the second server is told %v", err)
	}
	c.stop()
	start(t, file, pubsub.Options{})
}

// TestNoPlace: a file that cannot be made says so, and what to do.
func TestNoPlace(t *testing.T) {
	_, err := pubsub.Open(filepath.Join(t.TempDir(), "absent", "pubsub.db"), pubsub.Options{})
	if err == nil || !strings.Contains(err.Error(), "check that its folder exists") {
		t.Fatalf("a folder that is not there answers %v", err)
	}
}
