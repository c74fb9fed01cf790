package main

import (
	"cmp"
	"context"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"iotbridge/internal/demo"
	"iotbridge/internal/ingestd"
	"iotbridge/internal/ops"
	"iotbridge/internal/site"
)

// worker starts iotbridge-ingest's worker with its own defaults against the site, or
// nothing; the part is then nil.
func (c *localCommand) worker(ctx context.Context, s *site.Site, log *zap.Logger, registry *prometheus.Registry, failed context.CancelCauseFunc) (*part, error) {
	if !c.has("worker") {
		return nil, nil
	}
	var settings ingestd.Settings
	parser, err := kong.New(&settings)
	if err == nil {
		_, err = parser.Parse(nil)
	}
	if err != nil {
		return nil, err
	}
	settings.Endpoints = ingestd.Endpoints{PubSub: s.PubSub, BigQuery: s.BigQuery, BigQueryStorage: s.BigQueryStorage}
	settings.Attestation, settings.AttestationKeys = "require", s.AttestationKeys
	for _, r := range s.Routes {
		settings.Routes = append(settings.Routes, ingestd.Route{Subscription: r.Subscription, Schema: r.Schema, Table: r.Table, QuarantineTable: s.QuarantineTable})
	}
	addr := "127.0.0.1:9102"
	if c.Ephemeral {
		addr = "127.0.0.1:0"
	}
	if settings.Listener, err = ops.Listen(ctx, cmp.Or(c.Ops, addr)); err != nil {
		return nil, err
	}
	s.Ops = settings.Listener.Addr().String()
	return start(ctx, func(ctx context.Context) error { return ingestd.Run(ctx, settings, log, registry) }, failed), nil
}

// openTables opens the tables in which messages end.
func openTables(ctx context.Context, s *site.Site) (demo.Tables, error) {
	client, err := s.OpenBigQuery(ctx)
	t := demo.Tables{Client: client, Quarantine: s.QuarantineTable}
	for _, r := range s.Routes {
		switch r.Schema {
		case demo.TopicTemperature:
			t.Temperature = r.Table
		case demo.TopicSensordata:
			t.Sensordata = r.Table
		}
	}
	return t, err
}
