package ingestd

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/internal/ops"
)

// Run works until ctx ends, or with Drain until nothing more comes. An error is a
// wrong setting, or an address that cannot be listened on: what a service refuses
// is held and shown by /readyz.
func Run(ctx context.Context, s Settings, log *zap.Logger, reg *prometheus.Registry) error {
	a, err := assemble(ctx, s, log, reg)
	if err != nil {
		return err
	}
	listener := s.Listener
	if listener == nil {
		if listener, err = ops.Listen(ctx, s.Ops); err != nil {
			return err
		}
	}
	if !s.DryRun {
		a.unreached()
	}
	log.Info("operations listener", zap.Stringer("address", listener.Addr()))
	outlive, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return (&ops.Server{Listener: listener, Metrics: reg, Ready: a.holds.Reasons, Pprof: s.OpsPprof}).Run(outlive)
	})
	for _, watch := range a.watches() {
		g.Go(func() error {
			watch(outlive, log)
			return nil
		})
	}
	g.Go(func() error {
		defer stop()
		if s.DryRun {
			return a.worker.Run(ctx)
		}
		if s.CreateTables {
			a.ensure(ctx)
		}
		for _, sink := range a.sinks {
			g.Go(func() error {
				a.reach(outlive, sink)
				return nil
			})
		}
		return a.worker.Run(ctx)
	})
	err = g.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if cerr := a.close(closing); cerr != nil {
		log.Warn("not everything was closed in order", zap.Error(cerr))
	}
	return err
}

// watches are what re-reads files.
func (a *assembly) watches() []func(context.Context, *zap.Logger) {
	var out []func(context.Context, *zap.Logger)
	if a.denied != nil {
		out = append(out, a.denied.Watch)
	}
	if a.attestor != nil {
		out = append(out, a.attestor.Watch)
	}
	return out
}

// Check asks every service whether the worker could work, prints a line for each
// thing that is well, and returns the first fault. It takes a minute at the most.
func Check(ctx context.Context, s Settings, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	a, err := assemble(ctx, s, zap.NewNop(), nil)
	if err != nil {
		return err
	}
	defer a.close(ctx)
	fmt.Fprintln(out, "ok  configuration")
	for i, r := range a.worker.Routes {
		for _, step := range []struct {
			what  string
			check func(context.Context) error
		}{
			{"subscription " + r.Subscription, a.sources[i].Check},
			{"table " + r.Table, r.Sink.Check},
			{"table " + r.QuarantineTable, r.Quarantine.Check},
		} {
			if err := step.check(ctx); err != nil {
				return fmt.Errorf("%s: %w", step.what, err)
			}
			fmt.Fprintln(out, "ok ", step.what)
		}
	}
	return nil
}
