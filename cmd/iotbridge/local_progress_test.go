package main

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestProgressIsReadFromTheWorkersMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	if p, err := readProgress(registry); err != nil || p != (progress{}) {
		t.Errorf("%+v, %v before there is a worker", p, err)
	}
	messages := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ingest_messages_total"}, []string{"result"})
	age := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ingest_age_seconds", Buckets: []float64{1, 2, 4}})
	registry.MustRegister(messages, age)
	messages.WithLabelValues("stored").Add(7)
	messages.WithLabelValues("quarantined").Add(2)
	messages.WithLabelValues("returned").Add(1)
	for range 98 {
		age.Observe(0.5)
	}
	age.Observe(3)
	age.Observe(3)
	want := progress{stored: 7, quarantined: 2, age: 3 * time.Second} // the 99th of 100: half of the way through 2 to 4
	if p, err := readProgress(registry); err != nil || p != want {
		t.Errorf("%+v, %v, want %+v", p, err, want)
	}
	for range 1000 {
		age.Observe(100) // beyond the last bound
	}
	if p, err := readProgress(registry); err != nil || p.age != 4*time.Second {
		t.Errorf("%+v, %v, want the last bound", p, err)
	}
}
