package ingest

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// ageBuckets are upper bounds in seconds: from one batch to one day.
var ageBuckets = [...]float64{0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400}

// ageHistogram is a Prometheus histogram that takes a batch at a time: one
// message costs a comparison or two, not an atomic addition.
type ageHistogram struct {
	desc   *prometheus.Desc
	counts [len(ageBuckets) + 1]atomic.Uint64
	micros atomic.Int64
}

func newAgeHistogram(name, help string) *ageHistogram {
	return &ageHistogram{desc: prometheus.NewDesc(name, help, nil, nil)}
}

// ages gathers one batch.
type ages struct {
	counts [len(ageBuckets) + 1]uint64
	micros int64
}

func (a *ages) add(micros int64) {
	micros = max(micros, 0) // two clocks may disagree
	i := 0
	for i < len(ageBuckets) && float64(micros) > ageBuckets[i]*1e6 {
		i++
	}
	a.counts[i]++
	a.micros += micros
}

func (h *ageHistogram) observe(a *ages) {
	for i, n := range a.counts {
		if n > 0 {
			h.counts[i].Add(n)
		}
	}
	h.micros.Add(a.micros)
}

func (h *ageHistogram) Describe(ch chan<- *prometheus.Desc) { ch <- h.desc }

func (h *ageHistogram) Collect(ch chan<- prometheus.Metric) {
	buckets := make(map[float64]uint64, len(ageBuckets))
	var total uint64
	for i := range h.counts {
		total += h.counts[i].Load()
		if i < len(ageBuckets) {
			buckets[ageBuckets[i]] = total
		}
	}
	ch <- prometheus.MustNewConstHistogram(h.desc, total, float64(h.micros.Load())/1e6, buckets)
}
