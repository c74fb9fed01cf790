package devicemanager

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// Metrics is what the server tells Prometheus. Every label set is closed.
type Metrics struct {
	Calls *prometheus.CounterVec // method, code: a gRPC code's name
}

// NewMetrics registers the server's metrics. A nil registerer registers nothing.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{Calls: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_devicemanager_calls_total",
		Help: "Operators' calls, by method and what came of them.",
	}, []string{"method", "code"})}
	if r != nil {
		r.MustRegister(m.Calls)
	}
	return m
}

// count takes any method: those that there are not are one.
func (m *Metrics) count(method string, code codes.Code) {
	if m == nil {
		return
	}
	if _, ok := policies[method]; !ok {
		method = "none"
	}
	m.Calls.WithLabelValues(method, code.String()).Inc()
}
