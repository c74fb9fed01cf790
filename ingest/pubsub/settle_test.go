package pubsub

import (
	"context"
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
