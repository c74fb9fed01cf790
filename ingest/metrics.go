package ingest

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iotbridge/schema"
)

// Metrics is what the worker tells Prometheus. Every label set is closed.
type Metrics struct {
	Messages        *prometheus.CounterVec   // result: stored, quarantined, returned
	Quarantined     *prometheus.CounterVec   // reason
	Age             *ageHistogram            // publish to durable
	AppendSeconds   *prometheus.HistogramVec // table, code (a gRPC code's name)
	AppendRows      prometheus.Histogram
	AppendBytes     prometheus.Histogram
	Redelivered     prometheus.Counter // deliveries that are not a message's first
	LeaseExtensions prometheus.Counter
	StreamRestarts  *prometheus.CounterVec // edge: pubsub, bigquery
	LastStored      prometheus.Gauge
	hold            *prometheus.GaugeVec // cause

	mismatches mismatches // by device

	mu      sync.Mutex
	sources []oldest
}

// oldest tells when the oldest message that a source holds was received, and when the
// one that was published first; the zero time says that none is held.
type oldest struct{ received, published func() time.Time }

// NewMetrics registers the worker's metrics. A nil registerer registers nothing.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &Metrics{
		Messages:    counters("ingest_messages_total", "Messages settled, by result.", "result"),
		Quarantined: counters("ingest_quarantined_total", "Messages quarantined, by reason.", "reason"),
		Age:         newAgeHistogram("ingest_age_seconds", "From publish to durable, of each stored message."),
		AppendSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ingest_append_seconds",
			Help: "Append requests, by table and gRPC code.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}, []string{"table", "code"}),
		AppendRows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ingest_append_rows",
			Help: "Rows of an append request.", Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
		AppendBytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ingest_append_bytes",
			Help: "Bytes of an append request's rows.", Buckets: prometheus.ExponentialBuckets(256, 4, 9),
		}),
		Redelivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ingest_redelivered_total",
			Help: "Deliveries that the service counts as a repetition; it counts only where a dead-letter policy is set.",
		}),
		LeaseExtensions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ingest_lease_extensions_total",
			Help: "Message leases extended.",
		}),
		StreamRestarts: counters("ingest_stream_restarts_total", "Streams opened again, by edge.", "edge"),
		LastStored: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ingest_last_stored_timestamp_seconds",
			Help: "When a row was last made durable, Unix time.",
		}),
		hold: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ingest_hold",
			Help: "1 while data is held for a cause that is no row's fault.",
		}, []string{"cause"}),
	}
	for _, result := range []string{"stored", "quarantined", "returned"} {
		m.Messages.WithLabelValues(result)
	}
	for _, reason := range schema.Reasons {
		m.Quarantined.WithLabelValues(string(reason))
	}
	for _, cause := range Causes {
		m.hold.WithLabelValues(string(cause))
	}
	for _, edge := range []string{"pubsub", "bigquery"} {
		m.StreamRestarts.WithLabelValues(edge)
	}
	if r == nil {
		return m
	}
	r.MustRegister(m.Messages, m.Quarantined, m.Age, m.AppendSeconds, m.AppendRows, m.AppendBytes, m.Redelivered,
		m.LeaseExtensions, m.StreamRestarts, m.LastStored, m.hold,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ingest_oldest_unacked_seconds",
			Help: "How long the oldest message that is held has been held.",
		}, func() float64 { return m.oldestSeconds(func(o oldest) time.Time { return o.received() }) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ingest_oldest_message_age_seconds",
			Help: "How long ago the message was published that is the oldest of those that are held.",
		}, func() float64 { return m.oldestSeconds(func(o oldest) time.Time { return o.published() }) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ingest_mismatches_top_device",
			Help: "The most device_mismatch messages of any one device in the last 10 minutes; rather too few than too many.",
		}, func() float64 { return float64(m.mismatches.top(time.Now())) }))
	return m
}

// Observe registers the gauges of a budget.
func (b *Budget) Observe(r prometheus.Registerer) {
	gauge := func(name, help string, value func(messages, bytes int) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			return float64(value(b.Used()))
		})
	}
	r.MustRegister(
		gauge("ingest_outstanding_messages", "Messages pulled and not yet settled.", func(messages, _ int) int { return messages }),
		gauge("ingest_outstanding_bytes", "Bytes of the messages pulled and not yet settled.", func(_, bytes int) int { return bytes }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ingest_utilization_ratio",
			Help: "How full the worker is, 0 to 1: messages or bytes outstanding against their limit, whichever is nearer. At 1 it pulls no more.",
		}, b.utilization))
}

// TrackOldest adds a source: when the oldest held message was received, and when the
// one was published that was published first; the zero time says that none is held.
func (m *Metrics) TrackOldest(received, published func() time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sources = append(m.sources, oldest{received, published})
}

// TrackHolds makes h show in ingest_hold.
func (m *Metrics) TrackHolds(h *Holds) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.change = func(c Cause, held bool) {
		v := 0.0
		if held {
			v = 1
		}
		m.hold.WithLabelValues(string(c)).Set(v)
	}
	h.tell()
}

func (m *Metrics) oldestSeconds(since func(oldest) time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	age := 0.0
	for _, source := range m.sources {
		if t := since(source); !t.IsZero() {
			age = max(age, time.Since(t).Seconds())
		}
	}
	return age
}
