package provision

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RequestMetrics is what the server tells Prometheus. Every label set is closed.
type RequestMetrics struct {
	Requests *prometheus.CounterVec   // operation, code (a Code, or OK)
	Seconds  *prometheus.HistogramVec // operation
}

// served stands for a Code where nothing was refused.
const served Code = "OK"

// NewRequestMetrics registers the server's metrics. A nil registerer registers nothing.
func NewRequestMetrics(r prometheus.Registerer) *RequestMetrics {
	m := &RequestMetrics{
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_provision_http_requests_total",
			Help: "Requests of boards, by operation and by the code of their refusal, or OK.",
		}, []string{"operation", "code"}),
		Seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_provision_http_seconds",
			Help: "From a request's head to its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"operation"}),
	}
	for _, one := range routes {
		m.Requests.WithLabelValues(string(one.operation), string(served))
		m.Seconds.WithLabelValues(string(one.operation))
	}
	if r != nil {
		r.MustRegister(m.Requests, m.Seconds)
	}
	return m
}

func (m *RequestMetrics) observe(operation operation, code Code, took time.Duration) {
	if m == nil {
		return
	}
	m.Requests.WithLabelValues(string(operation), string(code)).Inc()
	m.Seconds.WithLabelValues(string(operation)).Observe(took.Seconds())
}
