package pubsub

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"iotbridge/ingest"
)

func TestCloseSendsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(500)
		var k kept
		r := s.pull(t, k.deliver)
		r.await(t, "500 deliveries", func() bool { return len(r.leased) == 500 })
		synctest.Wait()
		r.stop()
		if err := <-r.pulled; err != nil {
			t.Fatal(err)
		}
		all := k.take()
		r.Ack(all[:300])
		r.Return(all[300:])
		if err := r.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.ended = true
		if len(r.counts()) != 300 || r.returned != 200 {
			t.Errorf("%d acknowledged, %d returned", len(r.counts()), r.returned)
		}
		if m, b := r.Budget.Used(); m != 0 || b != 0 {
			t.Errorf("%d messages, %d bytes still booked", m, b)
		}
	})
}

func TestCloseSaysWhatItCouldNotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(10)
		s.acking = func(ctx context.Context, _ int, _ *pubsubpb.AcknowledgeRequest) error {
			<-ctx.Done()
			return ctx.Err()
		}
		r := s.pull(t, nil)
		r.await(t, "an acknowledgement", func() bool { return r.ackCalls == 1 })
		begin := time.Now()
		err := r.end()
		if err == nil || !strings.Contains(err.Error(), "10 settlements") {
			t.Errorf("closed with %v", err)
		}
		if took := time.Since(begin); took > 26*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestCloseWithoutPull(t *testing.T) {
	if err := new(Source).Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestCloseLetsUnsettledLeasesLapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(10)
		var k kept
		r := s.pull(t, k.deliver)
		pass(40 * time.Second)
		r.mustEnd()
		s.mu.Lock()
		before := s.extended
		s.mu.Unlock()
		pass(5 * time.Minute)
		if s.extended != before || before == 0 {
			t.Errorf("%d extensions, then %d", before, s.extended)
		}
	})
}

func TestPullSaysWhatIsWrongWithItsFields(t *testing.T) {
	s := newService()
	conn := s.dial(t)
	budget := ingest.NewBudget(1, 1)
	for name, bad := range map[string]*Source{
		"no connection":   {Subscription: subscription, Budget: budget},
		"no subscription": {Conn: conn, Budget: budget},
		"no budget":       {Conn: conn, Subscription: subscription},
		"short lease":     {Conn: conn, Subscription: subscription, Budget: budget, Deadline: 9 * time.Second},
		"long lease":      {Conn: conn, Subscription: subscription, Budget: budget, Deadline: 601 * time.Second},
	} {
		if err := bad.Pull(t.Context(), nil); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
