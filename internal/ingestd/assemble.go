package ingestd

import (
	"context"
	"errors"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"iotbridge/ingest"
	"iotbridge/ingest/bigquery"
	"iotbridge/ingest/pubsub"
	"iotbridge/internal/buildinfo"
	"iotbridge/schema"
)

// assembly is a worker and what it stands on.
type assembly struct {
	settings Settings
	worker   *ingest.Worker
	holds    *ingest.Holds
	denied   *ingest.DenyList
	attestor *ingest.Attestor
	log      *zap.Logger

	conn    *grpc.ClientConn
	sources []*pubsub.Source
	sinks   []*bigquery.Sink
}

// assemble makes the worker of the settings. It asks no service anything: what is
// missing there holds and heals.
func assemble(ctx context.Context, s Settings, log *zap.Logger, reg prometheus.Registerer) (_ *assembly, err error) {
	routes, err := s.routes()
	if err != nil {
		return nil, err
	}
	a := &assembly{settings: s, holds: &ingest.Holds{}, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close(ctx))
		}
	}()
	if s.DenyDevices != "" {
		if a.denied, err = ingest.OpenDenyList(s.DenyDevices); err != nil {
			return nil, err
		}
	}
	if s.Attestation != "off" {
		if a.attestor, err = ingest.OpenAttestor(s.AttestationKeys, s.Attestation == "require"); err != nil {
			return nil, err
		}
	}
	if a.conn, err = pubsub.Dial(ctx, s.Endpoints.PubSub); err != nil {
		return nil, err
	}
	metrics := ingest.NewMetrics(reg)
	metrics.TrackHolds(a.holds)
	budget := ingest.NewBudget(s.MaxOutstandingMessages, s.MaxOutstandingBytes)
	if reg != nil {
		budget.Observe(reg)
	}
	a.worker = &ingest.Worker{
		Name:     s.Name,
		Limits:   ingest.Limits{Rows: s.BatchRows, Bytes: s.BatchBytes, Age: s.BatchAge},
		InFlight: 4 * s.Writers,
		Grace:    s.ShutdownGrace, Drain: s.Drain, DrainIdle: s.DrainIdle, DryRun: s.DryRun,
		Metrics: metrics, Holds: a.holds, Log: log,
	}
	if a.worker.Name == "" {
		a.worker.Name, _ = os.Hostname()
	}
	for _, r := range routes {
		route, err := a.route(r, len(routes), budget, metrics)
		if err != nil {
			return nil, err
		}
		a.worker.Routes = append(a.worker.Routes, route)
	}
	return a, nil
}

func (a *assembly) route(r Route, of int, budget *ingest.Budget, metrics *ingest.Metrics) (route ingest.Route, err error) {
	s := a.settings
	table, err := loadTable(r.Schema)
	if err != nil {
		return route, err
	}
	quarantine, err := loadTable("quarantine")
	if err != nil {
		return route, err
	}
	route = ingest.Route{
		Subscription: r.Subscription, Table: r.Table, QuarantineTable: r.QuarantineTable,
		Gate: ingest.Gate{RequireClaim: s.IdentityClaim == "required", Denied: a.denied, Attestation: a.attestor},
	}
	if route.Gate.Plan, err = table.Compile(); err != nil {
		return route, err
	}
	if route.QuarantinePlan, err = quarantine.Compile(); err != nil {
		return route, err
	}
	shared := bigquery.Settings{
		Endpoint: bigquery.Endpoint{REST: s.Endpoints.BigQuery, Storage: s.Endpoints.BigQueryStorage},
		Version:  buildinfo.Current().Version, Streams: s.Writers, Timeout: s.AppendTimeout, Watchdog: s.Watchdog, Metrics: metrics,
	}
	sink, err := a.sink(r.Table, table, shared)
	if err != nil {
		return route, err
	}
	lies, err := a.sink(r.QuarantineTable, quarantine, shared)
	if err != nil {
		return route, err
	}
	route.Sink, route.Quarantine = sink, lies
	if s.QuarantineTopic != "" {
		route.Topic = &pubsub.Topic{Conn: a.conn, Name: s.QuarantineTopic, Subscription: r.Subscription}
	}
	messages, bytes := budget.Limits()
	source := &pubsub.Source{
		Conn: a.conn, Subscription: r.Subscription, Streams: s.PullStreams, Deadline: s.Lease,
		Budget: budget, MaxMessages: max(messages/of, 1), MaxBytes: bytes / of,
		Metrics: metrics, Holds: a.holds, Log: a.log,
	}
	a.sources = append(a.sources, source)
	route.Source = source
	return route, nil
}

func (a *assembly) sink(name string, table *schema.Table, shared bigquery.Settings) (*bigquery.Sink, error) {
	id, err := bigquery.ParseTableID(name)
	if err != nil {
		return nil, err
	}
	sink, err := bigquery.NewSink(id, table, shared)
	if err == nil {
		a.sinks = append(a.sinks, sink)
	}
	return sink, err
}

func (a *assembly) close(ctx context.Context) error {
	var errs []error
	for _, s := range a.sinks {
		errs = append(errs, s.Close(ctx))
	}
	if a.conn != nil {
		errs = append(errs, a.conn.Close())
	}
	return errors.Join(errs...)
}
