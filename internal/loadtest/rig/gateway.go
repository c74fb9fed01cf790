package rig

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
	"iotbridge/gateway/mqtt"
	"iotbridge/gateway/pubsub"
	"iotbridge/gateway/registry"
)

// serveGateway is the gateway as it is run, with a registry that is made for the load
// and thrown away.
func serveGateway(ctx context.Context, l net.Listener, config *tls.Config, t Task, ready func() error, log *zap.Logger) (err error) {
	dir, err := os.MkdirTemp("", "iotbridge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := registry.Open(ctx, "sqlite:"+filepath.Join(dir, "registry.db"), registry.Options{Log: log})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := register(ctx, store, t); err != nil {
		return err
	}
	signer, err := newSigner(filepath.Join(dir, "attestation.keys"))
	if err != nil {
		return err
	}
	conn, err := pubsub.Dial(ctx, t.PubSub)
	if err != nil {
		return err
	}
	defer conn.Close()

	metrics := prometheus.NewRegistry()
	publisher := &pubsub.Publisher{Conn: conn, Holds: &gateway.Holds{}, Metrics: pubsub.NewMetrics(metrics), Log: log}
	bridge := &gateway.Bridge{
		Directory: store, Mailbox: store, Bus: store, Verifier: &auth.Verifier{}, Publisher: publisher,
		Instance: "bench", Limiter: gateway.NewLimiter(), Signer: signer, Log: log,
	}
	server := &mqtt.Server{
		Bridge: bridge, Mailbox: store, Bus: store, Instance: bridge.Instance, TLS: config,
		Metrics: mqtt.NewMetrics(metrics), Log: log,
	}
	if err := ready(); err != nil {
		return err
	}
	defer tellEnds(metrics, log)
	return together(ctx, store.Run, publisher.Run, bridge.Run, server.Run,
		func(ctx context.Context) error { return server.Serve(ctx, l) })
}

// tellEnds says why sessions ended, but for those of devices that left.
func tellEnds(metrics prometheus.Gatherer, log *zap.Logger) {
	families, _ := metrics.Gather() // what can be had
	for _, family := range families {
		if family.GetName() != "gateway_disconnects_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			reason, n := m.GetLabel()[0].GetValue(), m.GetCounter().GetValue()
			if n > 0 && reason != "client" && reason != "shutdown" {
				log.Warn("sessions ended", zap.String("reason", reason), zap.Float64("sessions", n))
			}
		}
	}
}

// register makes the registry and its devices.
func register(ctx context.Context, store gateway.Admin, t Task) error {
	const actor = "bench"
	_, err := store.CreateRegistry(ctx, actor, &gateway.Registry{
		Key: t.Registry, MQTT: true, Routes: []gateway.Route{{Topic: "projects/" + t.Registry.Project + "/topics/telemetry"}},
	})
	if err != nil {
		return err
	}
	for _, d := range t.Devices {
		_, err := store.CreateDevice(ctx, actor, &gateway.Device{
			Key: d.DeviceKey, Credentials: []gateway.Credential{{Format: gateway.ES256PEM, PEM: d.PublicKey}},
		})
		if err != nil {
			return fmt.Errorf("%s: %w", d.DeviceKey, err)
		}
	}
	return nil
}

// newSigner makes a key that attests every message.
func newSigner(file string) (*gateway.Signer, error) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	text := fmt.Appendf(nil, "bench %s\n", base64.StdEncoding.EncodeToString(secret[:]))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return gateway.OpenSigner(file)
}
