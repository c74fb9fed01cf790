package gatewayd

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"iotbridge/gateway"
)

const (
	countEvery = 5 * time.Minute
	countTime  = time.Minute
	countAhead = 7 * 24 * time.Hour
)

// metrics is what the gateway as a whole tells Prometheus. Every label set is closed.
type metrics struct {
	telemetry *byRegistry
	expiring  prometheus.Gauge
}

// newMetrics registers what is not of one part. A nil registerer registers nothing.
func newMetrics(r prometheus.Registerer, holds *gateway.Holds) *metrics {
	m := &metrics{
		telemetry: newByRegistry(),
		expiring: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_device_credentials_expiring",
			Help: "Devices whose last credential expires within 7 days; of the whole store, counted every 5 minutes.",
		}),
	}
	if r == nil {
		return m
	}
	r.MustRegister(m.telemetry.counters, m.expiring)
	for _, cause := range gateway.Causes {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_hold", Help: "1 while the gateway is not ready for a cause that is no device's fault.",
			ConstLabels: prometheus.Labels{"cause": string(cause)},
		}, func() float64 {
			if holds.Held(cause) {
				return 1
			}
			return 0
		}))
	}
	return m
}

// tellExpiry registers when the certificates end with which the gateway proves itself,
// and those that it issues.
func (a *assembly) tellExpiry(r prometheus.Registerer) {
	if r == nil {
		return
	}
	tell := func(certificate string, ends func() time.Time) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "gateway_certificate_expiry_timestamp_seconds",
			Help:        "When a certificate ends, Unix time: of device TLS, of the operators' API, and of the authority that issues to devices.",
			ConstLabels: prometheus.Labels{"certificate": certificate},
		}, func() float64 { return float64(ends().Unix()) }))
	}
	tell("device", a.devices.ends)
	if a.apiTLS != nil {
		tell("api", a.apiIdentity.ends)
	}
	if a.authority != nil {
		tell("provision", func() time.Time { return a.authority.Current().Certificate.NotAfter })
	}
}

// ends is when the certificate in force does.
func (c certificate) ends() time.Time { return c.Current().Leaf.NotAfter }

// countExpiring keeps gateway_device_credentials_expiring true of the store until ctx
// ends. While the store does not answer, the last count stays.
func (a *assembly) countExpiring(ctx context.Context, expiring func(ctx context.Context, now, until time.Time) (int64, error)) error {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		now := time.Now()
		asking, cancel := context.WithTimeout(ctx, countTime)
		n, err := expiring(asking, now, now.Add(countAhead))
		cancel()
		switch {
		case err == nil:
			a.metrics.expiring.Set(float64(n))
		case ctx.Err() == nil:
			a.log.Warn("credentials that expire were not counted", zap.Error(err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
