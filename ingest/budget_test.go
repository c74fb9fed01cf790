package ingest

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// pass lets the fake clock run.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestBudgetHoldsPullersUntilCreditComesBack(t *testing.T) {
	for _, c := range []struct{ messages, bytes int }{{10, 1}, {1, 1000}} {
		synctest.Test(t, func(t *testing.T) {
			b := NewBudget(10, 1000)
			b.Take(c.messages, c.bytes)
			waited := make(chan error, 2)
			for range 2 {
				go func() { waited <- b.Wait(t.Context()) }()
			}
			synctest.Wait()
			if len(waited) != 0 {
				t.Fatal("there is no credit, and nobody waits")
			}
			b.Give(c.messages, c.bytes)
			synctest.Wait()
			if len(waited) != 2 {
				t.Errorf("%d of 2 go on when credit is back", len(waited))
			}
		})
	}
}

func TestBudgetWaitEndsWithItsContext(t *testing.T) {
	b := NewBudget(1, 1)
	b.Take(1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b.Wait(ctx) == nil {
		t.Error("Wait returned nil")
	}
}

func TestMetricsShowHoldsBudgetAndAge(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := NewMetrics(reg)
	h := &Holds{}
	m.TrackHolds(h)
	b := NewBudget(10, 1000)
	b.Observe(reg)
	b.Take(3, 300)
	h.Set("table a", &Held{Missing, "a is not there"})
	h.Set("table b", &Held{Missing, "b is not there"})
	h.Clear("table a")
	var a ages
	a.add(30_000)
	a.add(-5) // clocks disagree
	m.Age.observe(&a)
	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP ingest_hold 1 while data is held for a cause that is no row's fault.
# TYPE ingest_hold gauge
ingest_hold{cause="missing"} 1
ingest_hold{cause="permission"} 0
ingest_hold{cause="quota"} 0
ingest_hold{cause="schema"} 0
ingest_hold{cause="unavailable"} 0
ingest_hold{cause="unproven"} 0
# HELP ingest_outstanding_messages Messages pulled and not yet settled.
# TYPE ingest_outstanding_messages gauge
ingest_outstanding_messages 3
`), "ingest_hold", "ingest_outstanding_messages")
	if err != nil {
		t.Error(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "ingest_age_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if h.GetSampleCount() != 2 || h.GetBucket()[0].GetCumulativeCount() != 1 || h.GetBucket()[1].GetCumulativeCount() != 2 || h.GetSampleSum() != 0.03 {
			t.Errorf("ages: %v", h)
		}
	}
	h.Clear("table b")
	if got := h.Reasons(); len(got) != 0 {
		t.Errorf("still held: %q", got)
	}
}
