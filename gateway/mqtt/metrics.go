package mqtt

import (
	"github.com/prometheus/client_golang/prometheus"

	"iotbridge/gateway"
)

// Metrics is what the server tells Prometheus. Every label set is closed.
type Metrics struct {
	Connections   prometheus.Gauge       // sessions
	Connects      *prometheus.CounterVec // result
	Refusals      *prometheus.CounterVec // reason: a gateway.Reason
	Messages      *prometheus.CounterVec // kind: what devices sent, and were sent
	PubackSeconds prometheus.Histogram   // from PUBLISH to PUBACK of telemetry
	Disconnects   *prometheus.CounterVec // reason
	Inflight      prometheus.Gauge
	InflightBytes prometheus.Gauge
	AcceptErrors  prometheus.Counter

	events prometheus.Counter
}

var (
	results = []string{"accepted", "refused", "fault", "client_id", "level", "malformed", "tls", "crowded"}
	kinds   = []string{"events", "state", "attach", "detach", "config", "commands", "errors"}
)

// NewMetrics registers the server's metrics. A nil registerer registers nothing.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &Metrics{
		Connections: gauge("gateway_connections", "MQTT sessions that are open."),
		Connects:    counters("gateway_connects_total", "MQTT connections, by what came of them.", "result"),
		Refusals:    counters("gateway_refusals_total", "Devices refused over MQTT, by reason.", "reason"),
		Messages:    counters("gateway_messages_total", "Messages from and to devices over MQTT, by kind.", "kind"),
		PubackSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_puback_seconds",
			Help: "From a telemetry message to its acknowledgement.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
		Disconnects:   counters("gateway_disconnects_total", "MQTT sessions that ended, by reason.", "reason"),
		Inflight:      gauge("gateway_inflight_messages", "Telemetry that Pub/Sub has not confirmed yet."),
		InflightBytes: gauge("gateway_inflight_bytes", "Payload of the telemetry that Pub/Sub has not confirmed yet."),
		AcceptErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_accept_errors_total",
			Help: "Connections that could not be accepted.",
		}),
	}
	for _, result := range results {
		m.Connects.WithLabelValues(result)
	}
	for _, reason := range gateway.Reasons {
		m.Refusals.WithLabelValues(string(reason))
	}
	for _, kind := range kinds {
		m.Messages.WithLabelValues(kind)
	}
	for _, reason := range reasons {
		m.Disconnects.WithLabelValues(string(reason))
	}
	m.events = m.Messages.WithLabelValues("events")
	if r != nil {
		r.MustRegister(m.Connections, m.Connects, m.Refusals, m.Messages, m.PubackSeconds, m.Disconnects,
			m.Inflight, m.InflightBytes, m.AcceptErrors)
	}
	return m
}

func (m *Metrics) connect(result string) { m.Connects.WithLabelValues(result).Inc() }

func (m *Metrics) message(kind string) { m.Messages.WithLabelValues(kind).Inc() }
