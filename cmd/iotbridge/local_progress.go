package main

import (
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// progress is what the worker has done since it started, leftovers of earlier runs
// included.
type progress struct {
	stored, quarantined int
	age                 time.Duration // from publish to durable, of 99 in 100 at the most
}

// readProgress reads it from the worker's metrics.
func readProgress(registry prometheus.Gatherer) (p progress, err error) {
	families, err := registry.Gather()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "ingest_messages_total":
				switch m.GetLabel()[0].GetValue() {
				case "stored":
					p.stored = int(m.GetCounter().GetValue())
				case "quarantined":
					p.quarantined = int(m.GetCounter().GetValue())
				}
			case "ingest_age_seconds":
				p.age = quantile(0.99, m.GetHistogram().GetSampleCount(), func(yield func(upper float64, count uint64) bool) {
					for _, b := range m.GetHistogram().GetBucket() {
						if !yield(b.GetUpperBound(), b.GetCumulativeCount()) {
							return
						}
					}
				})
			}
		}
	}
	return p, err
}

// quantile is Prometheus' histogram_quantile over buckets of upper bounds in seconds
// and cumulative counts: linear within a bucket, and the last bound beyond it.
func quantile(q float64, total uint64, buckets iter.Seq2[float64, uint64]) time.Duration {
	rank := q * float64(total)
	if rank == 0 {
		return 0
	}
	below, lower := 0.0, 0.0
	for upper, count := range buckets {
		if float64(count) >= rank {
			return seconds(lower + (upper-lower)*(rank-below)/(float64(count)-below))
		}
		below, lower = float64(count), upper
	}
	return seconds(lower)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
