package gatewayd

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"iotbridge/gateway"
	"iotbridge/internal/ops"
)

// Garbage is how much of it, in percent of what is held, a process that is a gateway
// and nothing else should let lie. What makes garbage is a device that connects: at 35
// that costs it 80 µs more, at 100 a connection is 4 KiB larger.
const Garbage = 80

// Run serves until ctx ends. An error is a wrong setting, a store that cannot be
// opened, or an address that cannot be listened on: what a service refuses later is
// held and shown by /readyz.
func Run(ctx context.Context, s Settings, log *zap.Logger, reg *prometheus.Registry) error {
	a, err := assemble(ctx, s, log, reg)
	if err != nil {
		s.Listeners.close()
		return err
	}
	l, err := a.listen(ctx)
	if err == nil {
		a.tell(l)
		err = tiers(ctx, a.doors(l), a.halls(), a.cellar(l, reg))
	}
	if cerr := a.close(); cerr != nil {
		log.Warn("not everything was closed in order", zap.Error(cerr))
	}
	return err
}

// doors are what devices and operators speak to.
func (a *assembly) doors(l Listeners) []part {
	grace := a.settings.ShutdownGrace / 2
	parts := []part{a.stopping}
	if a.mqtt != nil {
		parts = append(parts, a.mqtt.Run)
		for _, at := range l.MQTT {
			parts = append(parts, func(ctx context.Context) error { return a.mqtt.Serve(ctx, at) })
		}
	}
	if a.http != nil {
		parts = append(parts, func(ctx context.Context) error { return a.http.Serve(ctx, l.HTTPS) })
	}
	if a.api != nil {
		parts = append(parts,
			a.console.Run,
			func(ctx context.Context) error { return a.serveREST(ctx, l.API, grace) },
			func(ctx context.Context) error { return a.serveGRPC(ctx, l.GRPC, grace) })
	}
	return parts
}

// stopping says, from the first moment on, that no new device should come here.
func (a *assembly) stopping(ctx context.Context) error {
	<-ctx.Done()
	a.holds.Set("gateway", gateway.CauseStopping, "is stopping")
	return nil
}

// halls are what the doors hand on to, and the files that they read again.
func (a *assembly) halls() []part {
	parts := []part{a.publisher.Run, a.bridge.Run, a.chronicle.Run}
	watch := func(keep func(context.Context, *zap.Logger)) {
		parts = append(parts, func(ctx context.Context) error {
			keep(ctx, a.log)
			return nil
		})
	}
	if a.used != nil {
		parts = append(parts, a.used.Run)
	}
	watch(a.devices.Watch)
	if a.operatorsFile != nil {
		watch(a.operatorsFile.Watch)
	}
	if a.apiTLS != nil {
		watch(a.apiIdentity.Watch)
	}
	if a.provisioning != nil {
		parts = append(parts, a.provisioning.Run)
		watch(a.authority.Watch)
	}
	return parts
}

// cellar is what everything stands on.
func (a *assembly) cellar(l Listeners, reg *prometheus.Registry) []part {
	server := &ops.Server{Listener: l.Ops, Metrics: reg, Ready: a.holds.Reasons, Pprof: a.settings.OpsPprof}
	asking := func(ctx context.Context) error { return a.ask(ctx, a.store.Ping) }
	counting := func(ctx context.Context) error { return a.countExpiring(ctx, a.store.Expiring) }
	beating := func(ctx context.Context) error { return a.beat(ctx, reg) }
	return []part{a.store.Run, asking, counting, beating, server.Run}
}

// tell logs where the gateway serves.
func (a *assembly) tell(l Listeners) {
	for _, at := range l.MQTT {
		a.log.Info("MQTT listener", zap.Stringer("address", at.Addr()))
	}
	if l.HTTPS != nil {
		a.log.Info("device HTTPS listener", zap.Stringer("address", l.HTTPS.Addr()))
	}
	if a.api != nil {
		a.log.Info("operators' listeners", zap.Stringer("rest", l.API.Addr()), zap.Stringer("grpc", l.GRPC.Addr()), zap.Bool("tls", a.apiTLS != nil))
	} else {
		a.log.Warn("nobody may operate: --operators names no file, Device Manager is not served")
	}
	a.log.Info("operations listener", zap.Stringer("address", l.Ops.Addr()))
}
