package pubsub

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// Metrics is what the publisher tells Prometheus. Every label set is closed.
type Metrics struct {
	Messages *prometheus.CounterVec   // result: confirmed, given_up, refused
	Seconds  *prometheus.HistogramVec // code (a gRPC code's name), a request
	Batch    prometheus.Histogram     // messages of a request

	ok prometheus.Observer // Seconds of what goes well
}

// NewMetrics registers the publisher's metrics. A nil registerer registers nothing.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		Messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_publish_messages_total",
			Help: "Messages for Pub/Sub: confirmed, given up after it did not take them, refused because too many waited.",
		}, []string{"result"}),
		Seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_publish_seconds",
			Help: "Publish requests, by gRPC code.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"code"}),
		Batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_publish_batch_messages",
			Help: "Messages of a publish request.", Buckets: prometheus.ExponentialBuckets(1, 4, 6),
		}),
	}
	for _, result := range []string{"confirmed", "given_up", "refused"} {
		m.Messages.WithLabelValues(result)
	}
	m.ok = m.Seconds.WithLabelValues(codes.OK.String())
	if r != nil {
		r.MustRegister(m.Messages, m.Seconds, m.Batch)
	}
	return m
}

// Observe registers the gauges of what is outstanding.
func (p *Publisher) Observe(r prometheus.Registerer) {
	gauge := func(name, help string, value func(messages, bytes int) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			return float64(value(p.Outstanding()))
		})
	}
	r.MustRegister(
		gauge("gateway_pubsub_outstanding_messages", "Messages that Pub/Sub has not answered for yet.", func(messages, _ int) int { return messages }),
		gauge("gateway_pubsub_outstanding_bytes", "Bytes of the messages that Pub/Sub has not answered for yet.", func(_, bytes int) int { return bytes }))
}

func (m *Metrics) observe(code codes.Code, took time.Duration, messages int) {
	m.Batch.Observe(float64(messages))
	if code == codes.OK {
		m.ok.Observe(took.Seconds())
		return
	}
	if code > codes.Unauthenticated { // no code at all
		code = codes.Unknown
	}
	m.Seconds.WithLabelValues(code.String()).Observe(took.Seconds())
}

func result(err error) string {
	if err == nil {
		return "confirmed"
	}
	return "given_up"
}
