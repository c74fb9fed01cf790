package pubsub

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// wait lets time pass in the bubble.
func wait(d time.Duration) { <-time.After(d) }

// A Pull that waits gets the message at the very moment its lease ends.
func TestB40_RedeliveryAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{}, func(c *pubsubpb.Subscription) { c.AckDeadlineSeconds = 30 })
		if err := publish(s, 1, 0); err != nil {
			t.Fatal(err)
		}
		first, begin := pull(t, s, 1), time.Now()
		for time.Since(begin) < 25*time.Second {
			wait(5 * time.Second)
			if got := pull(t, s, 1); len(got) > 0 {
				t.Fatalf("redelivered after %v", time.Since(begin))
			}
		}
		r, err := s.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: testSub, MaxMessages: 1})
		if err != nil || len(r.ReceivedMessages) != 1 {
			t.Fatalf("redelivered %v, %v", r, err)
		}
		if d := time.Since(begin); d != 30*time.Second {
			t.Errorf("redelivered after %v", d)
		}
		// The late acknowledgement of the first copy counts for both.
		if err := acknowledge(s, first); err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		if got := pull(t, s, 1); len(got) > 0 {
			t.Errorf("an acknowledged message came again: %v", got)
		}
	})
}

// An extended lease holds.
func TestExtendedLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		if err := publish(s, 1, 0); err != nil {
			t.Fatal(err)
		}
		got := pull(t, s, 1)
		for range 10 {
			wait(9 * time.Second)
			_, err := s.ModifyAckDeadline(t.Context(), &pubsubpb.ModifyAckDeadlineRequest{
				Subscription: testSub, AckIds: []string{got[0].AckId}, AckDeadlineSeconds: 10,
			})
			if err != nil {
				t.Fatal(err)
			}
			if again := pull(t, s, 1); len(again) > 0 {
				t.Fatal("redelivered under lease")
			}
		}
		wait(10 * time.Second)
		if again := pull(t, s, 1); len(again) != 1 {
			t.Error("not redelivered after the lease")
		}
	})
}

// The wait of a retry policy doubles from its minimum to its maximum.
func TestRetryPolicyBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{}, func(c *pubsubpb.Subscription) {
			c.RetryPolicy = &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(2 * time.Second), MaximumBackoff: durationpb.New(6 * time.Second)}
		})
		if err := publish(s, 1, 0); err != nil {
			t.Fatal(err)
		}
		got := pull(t, s, 1)
		for _, want := range []time.Duration{2 * time.Second, 4 * time.Second, 6 * time.Second, 6 * time.Second} {
			begin := time.Now()
			_, err := s.ModifyAckDeadline(t.Context(), &pubsubpb.ModifyAckDeadlineRequest{Subscription: testSub, AckIds: []string{got[0].AckId}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: testSub, MaxMessages: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got = r.ReceivedMessages; time.Since(begin) != want {
				t.Errorf("handed back, and came after %v, want %v", time.Since(begin), want)
			}
		}
	})
}

// Retention takes messages from deliveries at once and from the file with the next
// sweep, under lease or not.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{}, func(c *pubsubpb.Subscription) { c.MessageRetentionDuration = durationpb.New(time.Hour) })
		if err := publish(s, 10, 0); err != nil {
			t.Fatal(err)
		}
		pull(t, s, 5)
		wait(time.Hour - time.Second)
		if err := publish(s, 1, 0); err != nil {
			t.Fatal(err)
		}
		wait(2 * time.Second)
		if got := pull(t, s, 100); len(got) != 1 {
			t.Errorf("%d messages came, 1 is young enough", len(got))
		}
		wait(2 * sweepEvery)
		synctest.Wait()
		if st := s.Stats()[testSub]; st.Unacked != 1 {
			t.Errorf("after the sweep: %+v", st)
		}
		var stored int
		if err := s.store.read.QueryRow("SELECT count(*) FROM messages").Scan(&stored); err != nil || stored != 1 {
			t.Errorf("the file keeps %d messages, %v", stored, err)
		}
	})
}

func seekTo(t *testing.T, s *Server, at time.Time) {
	t.Helper()
	_, err := s.Seek(t.Context(), &pubsubpb.SeekRequest{Subscription: testSub, Target: &pubsubpb.SeekRequest_Time{Time: timestamppb.New(at)}})
	if err != nil {
		t.Fatal(err)
	}
}

// A day is replayed from what the topic keeps, and no later than that.
func TestB45_SeekReplaysADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		_, err := s.UpdateTopic(t.Context(), &pubsubpb.UpdateTopicRequest{
			Topic:      &pubsubpb.Topic{Name: testTopic, MessageRetentionDuration: durationpb.New(24 * time.Hour)},
			UpdateMask: mask("message_retention_duration"),
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // at 0 h, 10 h and 20 h
			if err := publish(s, 2, 0); err != nil {
				t.Fatal(err)
			}
			if err := acknowledge(s, pull(t, s, 10)); err != nil {
				t.Fatal(err)
			}
			wait(10 * time.Hour)
		}
		seekTo(t, s, time.Now().Add(-48*time.Hour)) // at 30 h: two publishes are within the day
		if st := s.Stats()[testSub]; st.Unacked != 4 {
			t.Errorf("after the seek: %+v", st)
		}
		replayed := pull(t, s, 10)
		if len(replayed) != 4 {
			t.Fatalf("%d messages were replayed, want 4", len(replayed))
		}
		seekTo(t, s, time.Now().Add(-15*time.Hour)) // only the newest
		if err := acknowledge(s, replayed); err != nil {
			t.Fatal(err) // leases from before the seek: heard, and without effect
		}
		if got := pull(t, s, 10); len(got) != 2 {
			t.Errorf("%d messages were replayed, want 2", len(got))
		}
	})
}

// The pull that waits for nothing ends empty, and with its caller.
func TestPullWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		begin := time.Now()
		r, err := s.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: testSub, MaxMessages: 1})
		if err != nil || len(r.ReceivedMessages) != 0 || time.Since(begin) != pullWait {
			t.Errorf("answered %v, %v after %v", r, err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Pull(ctx, &pubsubpb.PullRequest{Subscription: testSub, MaxMessages: 1}); err == nil {
			t.Error("outlived its caller")
		}
	})
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
