package pubsub

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"iotbridge/ingest"
)

func TestStreamsAskForTheirShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		r := &rig{service: s, t: t, pulled: make(chan error, 1)}
		r.Source = &Source{
			Conn: s.dial(t), Subscription: subscription, Budget: ingest.NewBudget(1000, 1<<20), Streams: 4,
			MaxMessages: 400, MaxBytes: 1 << 19, Deadline: 90 * time.Second,
		}
		r.run(nil)
		r.await(t, "4 streams", func() bool { return r.streams == 4 })
		for i, first := range r.first {
			if first.Subscription != subscription || first.StreamAckDeadlineSeconds != 90 || first.MaxOutstandingMessages != 100 ||
				first.MaxOutstandingBytes != 1<<19/4*3/4 || first.ProtocolVersion != 1 || first.ClientId == "" || first.ClientId != r.first[0].ClientId {
				t.Errorf("asked for %v", first)
			}
			if h := r.headers[i].Get("x-goog-request-params"); len(h) != 1 || h[0] != "subscription=projects%2Fp%2Fsubscriptions%2Fs" {
				t.Errorf("header %q", h)
			}
		}
		r.mustEnd()
	})
}

func TestBudgetBoundsWhatIsPulled(t *testing.T) {
	for name, budget := range map[string]*ingest.Budget{
		"messages": ingest.NewBudget(250, 1<<30),
		"bytes":    ingest.NewBudget(1<<30, 250*100),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService()
				s.batch = 10
				s.publish(5000)
				var k kept
				r := &rig{service: s, t: t, pulled: make(chan error, 1)}
				// A service that sends more than it was asked to must not break the bound.
				r.Source = &Source{Conn: s.dial(t), Subscription: subscription, Budget: budget, Streams: 2, MaxMessages: 10_000, MaxBytes: 1 << 30}
				r.run(k.deliver)
				acked := 0
				for acked < 5000 {
					synctest.Wait()
					all := k.take()
					m, b := budget.Used()
					if m < len(all) || b < 50*len(all) {
						t.Fatalf("%d messages are open, booked are %d of %d bytes", len(all), m, b)
					}
					if messages, bytes := budget.Limits(); m > messages+2*10 || b > bytes+2*10*100 { // one delivery a stream may overdraw
						t.Fatalf("%d messages of %d bytes are booked", m, b)
					}
					r.Ack(all)
					acked += len(all)
					pass(20 * time.Millisecond)
				}
				r.wantAcked(5000)
				r.mustEnd()
			})
		})
	}
}

func TestRequestsKeepToTheServicesLimits(t *testing.T) {
	for name, padding := range map[string]int{"many ids": 1, "long ids": 300} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService() // refuses requests beyond the limits
				s.batch, s.padding = 1000, padding
				s.publish(9000)
				var k kept
				r := &rig{service: s, t: t, pulled: make(chan error, 1)}
				r.Source = &Source{Conn: s.dial(t), Subscription: subscription, Budget: ingest.NewBudget(10_000, 1<<24)}
				r.run(k.deliver)
				pass(40 * time.Second)
				if s.extended != 2*9000 { // soon after they came, and when half was over
					t.Errorf("%d extensions", s.extended)
				}
				all := k.take()
				r.Ack(all[:6000])
				r.Return(all[6000:])
				r.await(t, "3000 returned", func() bool { return r.returned == 3000 })
				r.await(t, "3000 again", func() bool { return len(r.leased) == 3000 })
				synctest.Wait()
				r.Ack(k.take())
				r.wantAcked(9000)
				r.mustEnd()
				if r.ackCalls > 60 {
					t.Errorf("%d Acknowledge requests", r.ackCalls)
				}
			})
		})
	}
}

func TestAcksWaitNoLongerThanALinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		r := s.pull(t, nil)
		pass(time.Second)
		for range 20 {
			begin, done := time.Now(), len(s.counts())
			s.publish(1)
			r.await(t, "the ack", func() bool { return len(r.done) == done+1 })
			if took := time.Since(begin); took > 2*linger {
				t.Fatalf("acknowledged after %v", took)
			}
		}
		r.mustEnd()
	})
}

func TestMalformedResponseEndsItsStreamAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(10)
		s.before = func(n int, stream pubsubpb.Subscriber_StreamingPullServer) error {
			if n > 3 {
				return nil
			}
			bad := &pubsubpb.StreamingPullResponse{}
			bad.ProtoReflect().SetUnknown([]byte(strings.Repeat("\x0a\x02\x12\x00", n))) // a message without an ack id
			return stream.Send(bad)
		}
		r := s.pull(t, nil)
		r.wantAcked(10)
		r.mustEnd()
		if r.streams != 4 {
			t.Errorf("%d streams", r.streams)
		}
	})
}
