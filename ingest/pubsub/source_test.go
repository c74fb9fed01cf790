package pubsub

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"iotbridge/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a source at work on a scripted service.
type rig struct {
	*Source
	*service
	t      testing.TB
	stop   context.CancelFunc
	pulled chan error
	ended  bool
}

// pull starts a source; deliver nil acknowledges at once.
func (s *service) pull(t testing.TB, deliver func(*rig, ingest.Delivery)) *rig {
	r := &rig{service: s, t: t, pulled: make(chan error, 1)}
	r.Source = &Source{
		Conn: s.dial(t), Subscription: subscription, Budget: ingest.NewBudget(1000, 1<<20),
		Metrics: ingest.NewMetrics(nil), Holds: &ingest.Holds{},
	}
	return r.run(deliver)
}

func (r *rig) run(deliver func(*rig, ingest.Delivery)) *rig {
	if deliver == nil {
		deliver = func(r *rig, d ingest.Delivery) { r.Ack(receipts(d)) }
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.t.Cleanup(func() {
		if !r.ended {
			r.end()
		}
	})
	go func() { r.pulled <- r.Pull(ctx, func(d ingest.Delivery) { deliver(r, d) }) }()
	return r
}

// end stops pulling and closes; it returns what Close said.
func (r *rig) end() error {
	r.t.Helper()
	r.ended = true
	r.stop()
	if err := <-r.pulled; err != nil {
		r.t.Error("Pull: ", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	err := r.Close(ctx)
	if m, b := r.Budget.Used(); err == nil && r.Source.open.Len() == 0 && (m != 0 || b != 0) {
		r.t.Errorf("the budget still books %d messages, %d bytes", m, b)
	}
	return err
}

func (r *rig) mustEnd() {
	r.t.Helper()
	if err := r.end(); err != nil {
		r.t.Error(err)
	}
}

// wantAcked waits until n messages are acknowledged, and none twice.
func (r *rig) wantAcked(n int) {
	r.t.Helper()
	r.await(r.t, fmt.Sprint(n, " acknowledgements"), func() bool { return len(r.done) == n })
	for _, k := range r.counts() {
		if k != 1 {
			r.t.Fatalf("a message was acknowledged %d times", k)
		}
	}
}

func receipts(d ingest.Delivery) []ingest.Receipt {
	var all []ingest.Receipt
	for i := range d.Len() {
		all = append(all, ingest.Receipt{Delivery: d, Index: int32(i)})
	}
	return all
}

func TestMessagesArriveAsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.publish(250)
		var mu sync.Mutex
		seen := map[string]int{}
		r := s.pull(t, func(r *rig, d ingest.Delivery) {
			mu.Lock()
			defer mu.Unlock()
			for i, m := range d.Messages() {
				again := d.Message(i)
				id := string(m.ID)
				seen[id]++
				device, ok := m.Attr("deviceId")
				if !ok || string(device) != "d"+id || string(m.Data) != fmt.Sprintf(`{"device_id":"d%s"}`, id) || string(again.Data) != string(m.Data) {
					t.Errorf("message %s: device %q, data %q, again %q", id, device, m.Data, again.Data)
				}
				if want := fmt.Sprint(m.PublishTime - 1_700_000_000_000_000); want != id {
					t.Errorf("message %s: published at %d", id, m.PublishTime)
				}
				if folder, ok := m.Attr("subFolder"); !ok || len(folder) != 0 {
					t.Errorf("subFolder: %q, %v", folder, ok)
				}
				if m.Attempt != 1 {
					t.Errorf("attempt %d", m.Attempt)
				}
			}
			r.Ack(receipts(d))
		})
		r.wantAcked(250)
		r.mustEnd()
		if len(seen) != 250 {
			t.Errorf("saw %d messages", len(seen))
		}
		if n := testutil.ToFloat64(r.Metrics.Redelivered); n != 0 {
			t.Errorf("%v redelivered", n)
		}
	})
}
