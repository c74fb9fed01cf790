package provision

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics is what provisioning tells Prometheus. Every label set is closed.
type Metrics struct {
	Requests *prometheus.CounterVec   // result: granted, again, fault, CLIENT_GONE, or a Code
	Seconds  prometheus.Histogram     // of a decision
	Webhook  *prometheus.HistogramVec // answer: ALLOW, DENY, PENDING, none
	Alarms   *prometheus.CounterVec   // kind: what an operator looks into
}

const (
	granted = "granted"
	again   = "again"
	fault   = "fault"
	none    = "none"

	// Two keys for one serial: a clone, a copied image, or a leaked bootstrap key.
	duplicateSerial = "duplicate_serial"
	// One key for two serials: boards whose random numbers are not.
	duplicateKey = "duplicate_key"
)

// NewMetrics registers the metrics. A nil registerer registers nothing.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_provision_requests_total",
			Help: "Requests for a device's credential, by what came of them.",
		}, []string{"result"}),
		Seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_provision_seconds",
			Help: "From a request for a credential to its decision.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
		Webhook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_provision_webhook_seconds",
			Help: "What the webhook took, with its retry, by its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"answer"}),
		Alarms: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_provision_alarms_total",
			Help: "Requests that hint at a cloned board or a leaked bootstrap key, by kind.",
		}, []string{"kind"}),
	}
	for _, result := range []string{granted, again, fault, string(gone)} {
		m.Requests.WithLabelValues(result)
	}
	for code := range statuses {
		m.Requests.WithLabelValues(string(code))
	}
	for _, answer := range []string{string(allow), string(deny), string(pending), none} {
		m.Webhook.WithLabelValues(answer)
	}
	for _, kind := range []string{duplicateSerial, duplicateKey} {
		m.Alarms.WithLabelValues(kind)
	}
	if r != nil {
		r.MustRegister(m.Requests, m.Seconds, m.Webhook, m.Alarms)
	}
	return m
}

func (m *Metrics) observe(result string, took time.Duration) {
	if m != nil {
		m.Requests.WithLabelValues(result).Inc()
		m.Seconds.Observe(took.Seconds())
	}
}

func (m *Metrics) asked(answer string, took time.Duration) {
	if m != nil {
		m.Webhook.WithLabelValues(answer).Observe(took.Seconds())
	}
}

func (m *Metrics) alarm(kind string) {
	if m != nil {
		m.Alarms.WithLabelValues(kind).Inc()
	}
}
