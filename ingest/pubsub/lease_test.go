package pubsub

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/ingest"
)

func TestB44_LeasesOutliveStreamsForHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(20)
		s.broken = func(ctx context.Context) error {
			sleep(ctx, 30*time.Second)
			return unavailable
		}
		var k kept
		r := s.pull(t, k.deliver)
		pass(3 * time.Hour)
		r.wantRedelivered(0)
		if age := time.Since(r.oldest()); age < 2*time.Hour {
			t.Errorf("the oldest message is %v old", age)
		}
		r.Ack(k.take())
		s.publish(20)
		r.await(t, "the other 20", func() bool { return len(r.leased) == 20 })
		synctest.Wait()
		r.Ack(k.take())
		r.wantAcked(40)
		r.mustEnd()
		r.wantRedelivered(0)
		if n := testutil.ToFloat64(r.Metrics.StreamRestarts.WithLabelValues("pubsub")); n < 300 {
			t.Errorf("%v restarts", n)
		}
		if why := r.Holds.Reasons(); len(why) > 0 {
			t.Errorf("held: %q", why)
		}
		if !r.oldest().IsZero() {
			t.Error("a message is still held")
		}
	})
}

func TestB57_LeasesAreExtendedWhileAnAppendTakesTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.batch = 50
		s.publish(50)
		s.modified = func(_ context.Context, _ int, m *pubsubpb.ModifyAckDeadlineRequest) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, id := range m.AckIds {
				if s.leased[id] == nil {
					t.Errorf("the lease of %s is extended, which is settled", id)
				}
			}
			return nil
		}
		var k kept
		r := s.pull(t, k.deliver)
		pass(time.Minute)
		slow := k.take()
		r.Ack(slow[:25]) // half of the frame is done
		slow = slow[25:]
		s.publish(50) // others go on meanwhile
		pass(time.Second)
		r.Ack(k.take())
		r.wantAcked(75)
		pass(9 * time.Minute)
		r.Ack(slow)
		r.wantAcked(100)
		r.mustEnd()
		r.wantRedelivered(0)
		if n := testutil.ToFloat64(r.Metrics.LeaseExtensions); int(n) != r.extended || n < 25*10 || n > 50*25 {
			t.Errorf("counted %v extensions, the service %d", n, r.extended)
		}
	})
}

func TestSlowAcknowledgeDoesNotStopExtensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.batch = 10
		s.acking = func(ctx context.Context, _ int, _ *pubsubpb.AcknowledgeRequest) error {
			sleep(ctx, 25*time.Second)
			return nil
		}
		s.publish(100)
		var k kept
		r := s.pull(t, k.deliver)
		pass(time.Second)
		all := k.take()
		for i := range all[:50] {
			r.Ack(all[i : i+1])
			pass(100 * time.Millisecond)
		}
		pass(5 * time.Minute)
		r.Ack(all[50:])
		r.wantAcked(100)
		r.mustEnd()
		r.wantRedelivered(0)
		if r.extended < 50*5 {
			t.Errorf("%d extensions", r.extended)
		}
	})
}

func TestExtensionsThatFailAreTriedAgainInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(10)
		s.modified = func(_ context.Context, n int, _ *pubsubpb.ModifyAckDeadlineRequest) error {
			if n%3 != 0 {
				return unavailable
			}
			return nil
		}
		var k kept
		r := s.pull(t, k.deliver)
		pass(30 * time.Minute)
		r.Ack(k.take())
		r.wantAcked(10)
		r.mustEnd()
		r.wantRedelivered(0)
	})
}

func TestShorterLeaseThanAskedForIsExtendedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.grants = 2 * time.Second
		s.publish(10)
		var k kept
		r := s.pull(t, k.deliver)
		pass(5 * time.Minute)
		r.Ack(k.take())
		r.wantAcked(10)
		r.mustEnd()
		r.wantRedelivered(0)
	})
}

func TestWhoIsQuickNeedsNoExtension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(1000)
		r := s.pull(t, nil)
		r.wantAcked(1000)
		pass(time.Minute)
		r.mustEnd()
		if s.modCalls != 0 {
			t.Errorf("%d calls", s.modCalls)
		}
	})
}

// A message that is settled is no longer the oldest, though others of its frame are open.
func TestTheFirstPublishedIsOfWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.batch = 10
		s.publish(30)
		var k kept
		r := s.pull(t, k.deliver)
		pass(time.Minute)
		all := k.take()
		slices.SortFunc(all, func(a, b ingest.Receipt) int {
			return cmp.Compare(published(a), published(b))
		})
		r.Ack(all[5:15]) // halves of two frames
		for i, receipt := range all[:5] {
			if got := r.firstPublished().UnixMicro(); got != published(receipt) {
				t.Errorf("with %d settled: %d, want %d", i, got, published(receipt))
			}
			r.Ack(all[i : i+1])
		}
		if got := r.firstPublished().UnixMicro(); got != published(all[15]) {
			t.Errorf("with half settled: %d, want %d", got, published(all[15]))
		}
		r.Ack(all[15:])
		r.wantAcked(30)
		if !r.firstPublished().IsZero() {
			t.Error("a message is still held")
		}
		r.mustEnd()
	})
}

func published(r ingest.Receipt) int64 {
	m := r.Delivery.Message(int(r.Index))
	return m.PublishTime
}
