package pubsub

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
)

var unavailable = status.Error(codes.Unavailable, "try again")

// kept gathers deliveries instead of settling them.
type kept struct {
	mu  sync.Mutex
	all []ingest.Receipt
}

func (k *kept) deliver(_ *rig, d ingest.Delivery) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, receipts(d)...)
}

func (k *kept) take() []ingest.Receipt {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.all
	k.all = nil
	return all
}

func (r *rig) wantRedelivered(n int) {
	r.t.Helper()
	r.service.mu.Lock()
	defer r.service.mu.Unlock()
	if r.redelivered != n {
		r.t.Errorf("%d redeliveries, want %d", r.redelivered, n)
	}
}

func (r *rig) leases() int {
	r.service.mu.Lock()
	defer r.service.mu.Unlock()
	return len(r.leased)
}

func TestB40_LateCopyIsSettledToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(10)
		s.modified = func(context.Context, int, *pubsubpb.ModifyAckDeadlineRequest) error { return unavailable }
		var k kept
		r := s.pull(t, k.deliver)
		pass(65 * time.Second) // the leases lapse, and the messages come again
		copies := k.take()
		if len(copies) != 20 {
			t.Fatalf("%d deliveries, want 20", len(copies))
		}
		r.Ack(copies)
		r.Ack(copies) // and a message settled twice counts once
		r.wantAcked(10)
		r.mustEnd()
		r.wantRedelivered(10)
		if n := testutil.ToFloat64(r.Metrics.Redelivered); n != 10 {
			t.Errorf("counted %v redelivered", n)
		}
	})
}

func TestB42_LostAckIsSentAgain(t *testing.T) {
	for name, set := range map[string]func(*service){
		"before the work": func(s *service) {
			s.acking = func(_ context.Context, n int, _ *pubsubpb.AcknowledgeRequest) error {
				if n <= 3 {
					return unavailable
				}
				return nil
			}
		},
		"the answer": func(s *service) {
			s.acked = func(n int, _ *pubsubpb.AcknowledgeRequest) error {
				if n <= 3 {
					return unavailable
				}
				return nil
			}
		},
		"no answer": func(s *service) {
			s.acking = func(ctx context.Context, n int, _ *pubsubpb.AcknowledgeRequest) error {
				if n == 1 {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService()
				set(s)
				s.publish(10)
				r := s.pull(t, nil)
				r.wantAcked(10)
				r.mustEnd()
				if r.ackCalls < 2 {
					t.Errorf("%d calls: nothing was lost", r.ackCalls)
				}
			})
		})
	}
}

func TestB42_ExpiredAckIsGivenUpAndTheMessageComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(10)
		down := time.Now().Add(2 * time.Minute)
		s.acking = func(context.Context, int, *pubsubpb.AcknowledgeRequest) error {
			if time.Now().Before(down) {
				return unavailable
			}
			return nil
		}
		r := s.pull(t, nil)
		pass(45 * time.Second)
		if m, _ := r.Budget.Used(); m != 10 {
			t.Errorf("%d booked while the acks are tried, want 10", m)
		}
		r.wantAcked(10)
		r.mustEnd()
		if n := testutil.ToFloat64(r.Metrics.Redelivered); n < 10 {
			t.Errorf("counted %v redelivered", n)
		}
	})
}

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

func TestHeldAndHealed(t *testing.T) {
	for _, test := range []struct {
		code codes.Code
		want string
		now  bool // not only after a while
	}{
		{codes.NotFound, "does not exist", true},
		{codes.PermissionDenied, "pubsub.subscriptions.consume", true},
		{codes.Unauthenticated, "pubsub.subscriptions.consume", true},
		{codes.ResourceExhausted, "ResourceExhausted", false},
		{codes.Unknown, "Unknown", false},
		{codes.FailedPrecondition, "FailedPrecondition", false},
		{codes.Canceled, "Canceled", false},
	} {
		t.Run(test.code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService()
				s.publish(10)
				heal := time.Now().Add(10 * time.Minute)
				s.opening = func(int) error {
					if time.Now().Before(heal) {
						return status.Error(test.code, strings.Repeat("x", 10_000))
					}
					return nil
				}
				r := s.pull(t, nil)
				pass(time.Second)
				if held := len(r.Holds.Reasons()) == 1; held != test.now {
					t.Errorf("after a second: %q", r.Holds.Reasons())
				}
				pass(time.Minute)
				why := strings.Join(r.Holds.Reasons(), "\n")
				if !strings.HasPrefix(why, "subscription "+subscription+": ") || !strings.Contains(why, test.want) || len(why) > 600 {
					t.Errorf("held for %q, want %q", why, test.want)
				}
				r.wantAcked(10)
				if why := r.Holds.Reasons(); len(why) != 0 {
					t.Errorf("still held: %q", why)
				}
				r.mustEnd()
			})
		})
	}
}

func TestAnIdleSubscriptionHealsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.opening = func(n int) error {
			if n < 3 {
				return status.Error(codes.NotFound, "")
			}
			return nil
		}
		r := s.pull(t, nil)
		pass(time.Minute)
		if why := r.Holds.Reasons(); len(why) != 0 || r.streams != 3 {
			t.Errorf("held for %q after %d streams", why, r.streams)
		}
		r.mustEnd()
	})
}

func TestSilentStreamIsOpenedAgain(t *testing.T) {
	for _, test := range []struct{ answers, least, most int }{
		{-1, 1, 1}, // a service that answers
		{0, 1, 1},  // one that never does
		{3, 2, 2},  // one that stops: the second stream never hears an answer
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newService()
			s.answers = test.answers
			r := s.pull(t, nil)
			pass(10 * time.Minute)
			s.mu.Lock()
			if s.streams < test.least || s.streams > test.most || s.pings < 18 {
				t.Errorf("%d answers: %d streams, %d pings", test.answers, s.streams, s.pings)
			}
			s.mu.Unlock()
			r.mustEnd()
		})
	}
}

// confirmation is how an exactly-once subscription speaks of single ack ids.
func confirmation(verdicts map[string]string) error {
	st, err := status.New(codes.FailedPrecondition, "Some acknowledgement ids in the request were invalid.").WithDetails(
		&errdetails.ErrorInfo{Reason: "PERMANENT_FAILURE_INVALID_ACK_ID", Domain: "pubsub.googleapis.com", Metadata: verdicts})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

func TestExactlyOnceConfirmationsAreHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.once = true
		s.publish(10)
		var asked [][]string
		s.acking = func(_ context.Context, n int, r *pubsubpb.AcknowledgeRequest) error {
			asked = append(asked, r.AckIds)
			if n > 1 {
				return nil
			}
			verdicts := map[string]string{r.AckIds[9]: "PERMANENT_FAILURE_INVALID_ACK_ID"}
			for _, id := range r.AckIds[:4] {
				verdicts[id] = "TRANSIENT_FAILURE_OTHER"
			}
			return confirmation(verdicts)
		}
		var k kept
		r := s.pull(t, k.deliver)
		pass(time.Second)
		r.Ack(k.take())
		r.wantAcked(9)
		r.mustEnd()
		if !r.exactlyOnce.Load() {
			t.Error("not recognised")
		}
		if len(asked) != 2 || len(asked[0]) != 10 || len(asked[1]) != 9 {
			t.Errorf("asked for %q", asked)
		}
		if m, _ := r.Budget.Used(); m != 0 {
			t.Errorf("%d still booked", m)
		}
	})
}

func TestRefusedAcksAreGivenUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(1)
		s.acking = func(_ context.Context, n int, _ *pubsubpb.AcknowledgeRequest) error {
			if n == 1 {
				return status.Error(codes.InvalidArgument, "")
			}
			return nil
		}
		r := s.pull(t, nil)
		pass(time.Second)
		if m, _ := r.Budget.Used(); m != 0 || r.ackCalls != 1 {
			t.Errorf("%d booked after %d calls", m, r.ackCalls)
		}
		r.wantAcked(1) // the lease lapsed, it came again
		r.mustEnd()
	})
}
