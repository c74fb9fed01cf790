package httpbridge

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iotbridge/gateway"
)

// Metrics is what the server tells Prometheus. Every label set is closed.
type Metrics struct {
	Requests *prometheus.CounterVec   // method, code (HTTP)
	Refusals *prometheus.CounterVec   // reason: a gateway.Reason
	Seconds  *prometheus.HistogramVec // method
}

// NewMetrics registers the server's metrics. A nil registerer registers nothing.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_http_requests_total",
			Help: "Requests of devices over HTTPS, by method and HTTP code.",
		}, []string{"method", "code"}),
		Refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_http_refusals_total",
			Help: "Devices refused over HTTPS, by reason.",
		}, []string{"reason"}),
		Seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_http_request_seconds",
			Help: "From a request's head to its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"method"}),
	}
	for _, reason := range gateway.Reasons {
		m.Refusals.WithLabelValues(string(reason))
	}
	for _, method := range []method{publishEvent, setState, getConfig, noMethod} {
		m.Seconds.WithLabelValues(string(method))
	}
	if r != nil {
		r.MustRegister(m.Requests, m.Refusals, m.Seconds)
	}
	return m
}

func (m *Metrics) observe(method method, code int, took time.Duration) {
	m.Requests.WithLabelValues(string(method), strconv.Itoa(code)).Inc()
	m.Seconds.WithLabelValues(string(method)).Observe(took.Seconds())
}
