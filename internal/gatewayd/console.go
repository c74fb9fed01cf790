package gatewayd

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap"

	"iotbridge/gateway"
	"iotbridge/gateway/console"
	"iotbridge/internal/mail"
)

const (
	pulseEvery  = 5 * time.Second
	pointEvery  = 15 * time.Second
	pulsePoints = 60 // 15 minutes
)

func (a *assembly) newConsole() *console.Console {
	c := &console.Console{Manager: a.api, Fleet: a.store.Fleet(), Project: a.settings.Project, Location: a.settings.Location, Log: a.log}
	if c.MQTT = a.settings.ProvisionMQTT; c.MQTT == "" && a.settings.serves("mqtt") {
		_, port, _ := net.SplitHostPort(a.settings.MQTT[0])
		if len(a.settings.Listeners.MQTT) > 0 {
			_, port, _ = net.SplitHostPort(a.settings.Listeners.MQTT[0].Addr().String())
		}
		c.MQTT = ":" + port
	}
	if a.provisioning != nil {
		c.Office = a.store.Provisioning()
	}
	if a.warehouse != nil {
		c.Warehouse = a.warehouse
	}
	c.Mail = mail.Open(pubsubpb.NewSubscriberClient(a.conn), a.settings.Project)
	return c
}

// operatorsPages is the API below /v1/, and the console for all else.
func (a *assembly) operatorsPages() http.Handler {
	api, pages := a.operatorsREST(), a.console.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			api.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// beat tells all gateways of the store this one's counters until ctx ends.
func (a *assembly) beat(ctx context.Context, metrics prometheus.Gatherer) error {
	p := gateway.Pulse{Instance: a.settings.Name, Began: time.Now()}
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		if err := a.pulse(ctx, metrics, &p); err != nil && ctx.Err() == nil {
			a.log.Warn("the console does not see this gateway", zap.Error(err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *assembly) pulse(ctx context.Context, metrics prometheus.Gatherer, p *gateway.Pulse) error {
	families, err := metrics.Gather()
	if err != nil {
		return err
	}
	p.At, p.Connections, p.Events, p.Refused, p.Holds = time.Now(), 0, 0, map[string]uint64{}, a.holds.Reasons()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "gateway_connections":
				p.Connections += int(m.GetGauge().GetValue())
			case "gateway_publish_messages_total":
				if labelled(m, "result") == "confirmed" {
					p.Events += uint64(m.GetCounter().GetValue())
				}
			case "gateway_refusals_total", "gateway_http_refusals_total":
				p.Refused[labelled(m, "reason")] += uint64(m.GetCounter().GetValue())
			}
		}
	}
	if n := len(p.Recent); n == 0 || p.At.Sub(p.Recent[n-1].At) >= pointEvery-pulseEvery/2 {
		p.Recent = append(p.Recent[max(0, n+1-pulsePoints):n:n], gateway.PulsePoint{At: p.At, Connections: p.Connections, Events: p.Events})
	}
	ctx, cancel := context.WithTimeout(ctx, pulseEvery)
	defer cancel()
	return a.store.Fleet().Beat(ctx, *p)
}

func labelled(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
