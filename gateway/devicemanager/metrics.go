package devicemanager

import (
	"cmp"

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

// count takes a method that there is; "" is any that there is not.
func (m *Metrics) count(method string, code codes.Code) {
	if m == nil {
		return
	}
	m.Calls.WithLabelValues(cmp.Or(method, "none"), code.String()).Inc()
}
