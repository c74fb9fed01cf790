package rig

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"iotbridge/gateway"
	"iotbridge/gateway/registry"
	"iotbridge/internal/config"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/memlimit"
	"iotbridge/internal/ops"
	"iotbridge/internal/site"
)

// readyTime is how long the gateway may take to be ready.
const readyTime = 30 * time.Second

// serveGateway is the gateway as it is run, with its defaults or what GATEWAY_…
// variables say, on a registry that is made for the load and thrown away.
func serveGateway(ctx context.Context, l net.Listener, dir string, c site.Certificate, t Task, ready func() error, log *zap.Logger) error {
	store, keys := "sqlite:"+filepath.Join(dir, "registry.db"), filepath.Join(dir, "attestation.keys")
	if err := errors.Join(register(ctx, store, t), writeKeys(keys)); err != nil {
		return err
	}
	return runGateway(ctx, []string{
		"--project=" + t.Registry.Project, "--location=" + t.Registry.Location, "--protocols=mqtt", "--store=" + store,
		"--tls-cert=" + c.File, "--tls-key=" + c.Key, "--attestation-key=" + keys,
	}, t.PubSub, gatewayd.Listeners{MQTT: []net.Listener{l}}, ready, log)
}

// runGateway is the gateway with these settings. ready is called once it is.
func runGateway(ctx context.Context, args []string, pubsub string, listeners gatewayd.Listeners, ready func() error, log *zap.Logger) error {
	var s gatewayd.Settings
	_, err := config.Program{Name: "gateway", EnvPrefix: "GATEWAY"}.Parse(&s, args)
	if err != nil {
		return err
	}
	operations, err := ops.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.PubSub, s.Listeners = pubsub, listeners
	s.Listeners.Ops = operations
	memlimit.Set(log)
	memlimit.CollectAt(gatewayd.Garbage)
	metrics := ops.NewRegistry()
	defer tellEnds(metrics, log)
	return together(ctx,
		func(ctx context.Context) error { return gatewayd.Run(ctx, s, log, metrics) },
		func(ctx context.Context) error {
			if err := awaitReady(ctx, "http://"+operations.Addr().String()+"/readyz"); err != nil {
				return err
			}
			return ready()
		})
}

// register makes the registry and its devices.
func register(ctx context.Context, address string, t Task) (err error) {
	const actor = "bench"
	store, err := registry.Open(ctx, address, registry.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	_, err = store.CreateRegistry(ctx, actor, &gateway.Registry{
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

// writeKeys makes a key that attests every message.
func writeKeys(file string) error {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	return os.WriteFile(file, fmt.Appendf(nil, "bench %s\n", base64.StdEncoding.EncodeToString(secret[:])), 0o600)
}

// awaitReady waits until the gateway says that it is ready.
func awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, errors.New("the gateway does not get ready"))
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		if answer, err := client.Do(request); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tellEnds says why the gateway ended sessions.
func tellEnds(metrics prometheus.Gatherer, log *zap.Logger) {
	families, _ := metrics.Gather() // what can be had
	for _, family := range families {
		if family.GetName() != "gateway_disconnects_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			reason, n := m.GetLabel()[0].GetValue(), m.GetCounter().GetValue()
			if n > 0 && reason != "client" && reason != "shutdown" {
				log.Error("sessions ended", zap.String("reason", reason), zap.Float64("sessions", n))
			}
		}
	}
}
