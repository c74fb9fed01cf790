package gatewayd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"iotbridge/gateway"
)

func TestHoldsAreMetricsByCause(t *testing.T) {
	reg, holds := prometheus.NewPedanticRegistry(), &gateway.Holds{}
	newMetrics(reg, holds)
	want := func(store, pubsub, stopping int) {
		t.Helper()
		err := testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(`
# HELP gateway_hold 1 while the gateway is not ready for a cause that is no device's fault.
# TYPE gateway_hold gauge
gateway_hold{cause="pubsub"} %d
gateway_hold{cause="stopping"} %d
gateway_hold{cause="store"} %d
`, pubsub, stopping, store)), "gateway_hold")
		if err != nil {
			t.Error(err)
		}
	}
	want(0, 0, 0)
	holds.Set("topic a", gateway.CausePubSub, "denied")
	holds.Set("topic b", gateway.CausePubSub, "denied")
	holds.Set("store", gateway.CauseStore, "gone")
	want(1, 1, 0)
	holds.Clear("topic a")
	holds.Clear("store")
	holds.Set("gateway", gateway.CauseStopping, "is stopping")
	want(0, 1, 1)
	holds.Clear("topic b")
	want(0, 0, 1)
}

func TestTelemetryIsCountedByRegistryUpToAHundred(t *testing.T) {
	c := newByRegistry()
	var devices sync.WaitGroup
	for range 4 { // the registries are found at once
		devices.Go(func() {
			for i := range 150 {
				for range 10 {
					c.count(fmt.Sprint("registry-", i))
				}
			}
		})
	}
	devices.Wait()
	if n := testutil.CollectAndCount(c.counters); n != maxRegistries+1 {
		t.Errorf("%d series, want %d", n, maxRegistries+1)
	}
	if n := testutil.ToFloat64(c.other); n != 50*40 {
		t.Errorf("%v of others, want %d", n, 50*40)
	}
	for name, counter := range *c.known.Load() {
		if n := testutil.ToFloat64(counter); n != 40 {
			t.Errorf("%v of %s, want 40", n, name)
		}
	}
}

func TestCredentialsThatExpireAreCountedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		a := &assembly{holds: &gateway.Holds{}, log: zap.NewNop()}
		a.metrics = newMetrics(reg, a.holds)
		answers := []struct {
			n    int64
			err  error
			want float64
		}{{3, nil, 3}, {0, errors.New("the store is gone"), 3}, {5, nil, 5}}
		var asked atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- a.countExpiring(ctx, func(ctx context.Context, now, until time.Time) (int64, error) {
				if _, bounded := ctx.Deadline(); !bounded || !now.Equal(time.Now()) || until.Sub(now) != 7*24*time.Hour {
					t.Errorf("from %s to %s, bounded: %v", now, until, bounded)
				}
				answer := answers[asked.Add(1)-1]
				return answer.n, answer.err
			})
		}()
		for i, answer := range answers {
			synctest.Wait()
			if got := testutil.ToFloat64(a.metrics.expiring); asked.Load() != int64(i+1) || got != answer.want {
				t.Errorf("asked %d times: %v, want %v", asked.Load(), got, answer.want)
			}
			if i < len(answers)-1 {
				<-time.After(5 * time.Minute)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
