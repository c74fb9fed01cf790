package pubsub

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	testTopic = "projects/p/topics/telemetry"
	testSub   = "projects/p/subscriptions/worker"
)

// open serves a new file to direct calls, with a topic and a subscription.
func open(t *testing.T, opts Options, change ...func(*pubsubpb.Subscription)) *Server {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "pubsub.db"), opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run errgroup.Group
	run.Go(func() error { return s.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := run.Wait(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.CreateTopic(ctx, &pubsubpb.Topic{Name: testTopic}); err != nil {
		t.Fatal(err)
	}
	config := &pubsubpb.Subscription{Name: testSub, Topic: testTopic}
	for _, f := range change {
		f(config)
	}
	if _, err := s.CreateSubscription(ctx, config); err != nil {
		t.Fatal(err)
	}
	return s
}

func publish(s *Server, n, size int) error {
	req := &pubsubpb.PublishRequest{Topic: testTopic}
	for i := range n {
		req.Messages = append(req.Messages, &pubsubpb.PubsubMessage{Data: []byte(fmt.Sprint(i) + strings.Repeat("x", size))})
	}
	_, err := s.Publish(context.Background(), req)
	return err
}

func pull(t *testing.T, s *Server, n int32) []*pubsubpb.ReceivedMessage {
	t.Helper()
	r, err := s.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: testSub, MaxMessages: n, ReturnImmediately: true})
	if err != nil {
		t.Fatal(err)
	}
	return r.ReceivedMessages
}

func acknowledge(s *Server, messages []*pubsubpb.ReceivedMessage) error {
	req := &pubsubpb.AcknowledgeRequest{Subscription: testSub}
	for _, m := range messages {
		req.AckIds = append(req.AckIds, m.AckId)
	}
	_, err := s.Acknowledge(context.Background(), req)
	return err
}

// refused holds that an error is UNAVAILABLE, which clients try again, and says why.
func refused(t *testing.T, err error, why string) {
	t.Helper()
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), why) {
		t.Errorf("answered %v, want UNAVAILABLE with %q", err, why)
	}
}

// A full disk refuses what cannot be kept, loses nothing, and heals.
func TestDiskFull(t *testing.T) {
	s := open(t, Options{})
	if err := publish(s, 10, 0); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		t.Helper()
		// The writer is idle: nothing is on its way.
		if _, err := s.store.write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(20)
	refused(t, publish(s, 100, 10_000), "make room")
	limit(1 << 20)
	if err := publish(s, 10, 0); err != nil {
		t.Fatal(err)
	}
	if got := pull(t, s, 1000); len(got) != 20 {
		t.Errorf("%d messages came, 20 were taken", len(got))
	}
}

// A foreign lock fails an acknowledgement; the message is deliverable again.
func TestForeignLock(t *testing.T) {
	s := open(t, Options{})
	if err := publish(s, 3, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.write.ExecContext(t.Context(), "PRAGMA busy_timeout = 20"); err != nil {
		t.Fatal(err)
	}
	got := pull(t, s, 3)
	other, err := sql.Open("sqlite", "file:"+s.store.file)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	refused(t, acknowledge(s, got), "locked by another program")
	refused(t, publish(s, 1, 0), "locked by another program")
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	again := pull(t, s, 3)
	if len(again) != 3 {
		t.Fatalf("%d messages came again, want 3", len(again))
	}
	if err := acknowledge(s, again); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats()[testSub].Unacked; n != 0 {
		t.Errorf("%d are unacknowledged", n)
	}
}

// A backlog stays on disk: the memory holds one window of it.
func TestBacklogStaysOnDisk(t *testing.T) {
	s := open(t, Options{})
	for range 10 {
		if err := publish(s, 1000, 1000); err != nil {
			t.Fatal(err)
		}
	}
	pull(t, s, 1)
	q := s.subscriptions[testSub]
	if n := len(q.entries); n > windowMessages {
		t.Errorf("%d messages are in memory", n)
	}
	if n := s.Stats()[testSub].Unacked; n != 10_000 {
		t.Errorf("%d are unacknowledged, want 10000", n)
	}
}

// What everybody has acknowledged leaves the file, not a moment before.
func TestAcknowledgedByAll(t *testing.T) {
	s := open(t, Options{})
	second := &pubsubpb.Subscription{Name: testSub + "2", Topic: testTopic}
	if _, err := s.CreateSubscription(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := publish(s, 5, 0); err != nil {
		t.Fatal(err)
	}
	stored := func() (n int) {
		t.Helper()
		if err := s.store.read.QueryRow("SELECT count(*) FROM messages").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := acknowledge(s, pull(t, s, 3)); err != nil {
		t.Fatal(err)
	}
	if n := stored(); n != 5 {
		t.Errorf("%d messages are kept, the second subscription waits for 5", n)
	}
	if _, err := s.DeleteSubscription(t.Context(), &pubsubpb.DeleteSubscriptionRequest{Subscription: second.Name}); err != nil {
		t.Fatal(err)
	}
	if n := stored(); n != 2 {
		t.Errorf("%d messages are kept, the first subscription waits for 2", n)
	}
	if err := acknowledge(s, pull(t, s, 2)); err != nil {
		t.Fatal(err)
	}
	if n := stored(); n != 0 {
		t.Errorf("%d messages are kept for nobody", n)
	}
}

// Durable syncs each commit.
func TestDurable(t *testing.T) {
	for durable, want := range map[bool]int{false: 1, true: 2} { // NORMAL, FULL
		s := open(t, Options{Durable: durable})
		var got int
		if err := s.store.write.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&got); err != nil || got != want {
			t.Errorf("durable %v: synchronous is %d, %v", durable, got, err)
		}
	}
}
