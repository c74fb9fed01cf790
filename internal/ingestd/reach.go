package ingestd

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"iotbridge/ingest"
	"iotbridge/ingest/bigquery"
	"iotbridge/schema"
)

// retryEvery is how often what a service refuses is tried again.
const retryEvery = 5 * time.Second

// unreached holds every table until it was reached: without that nobody knows
// whether a row could be stored.
func (a *assembly) unreached() {
	for _, sink := range a.sinks {
		a.holds.Set(place(sink), &ingest.Held{Cause: ingest.Unavailable, Detail: place(sink) + " has not been reached yet"})
	}
}

// ensure makes dataset, tables and views. What the service refuses is held and
// tried again until ctx ends, like everything that a service refuses.
func (a *assembly) ensure(ctx context.Context) {
	for _, sink := range a.sinks {
		a.until(ctx, sink, a.ensureTable)
	}
}

// reach waits until the table can be written, and ends what unreached began.
func (a *assembly) reach(ctx context.Context, sink *bigquery.Sink) {
	a.until(ctx, sink, func(ctx context.Context, sink *bigquery.Sink) error { return sink.Check(ctx) })
	a.holds.Clear(place(sink))
}

// until tries until the service does not refuse, or ctx ends.
func (a *assembly) until(ctx context.Context, sink *bigquery.Sink, try func(context.Context, *bigquery.Sink) error) {
	for said := ""; ; {
		err := try(ctx, sink)
		if err == nil || ctx.Err() != nil {
			return
		}
		held := &ingest.Held{Cause: ingest.Unavailable, Detail: err.Error()}
		errors.As(err, &held)
		a.holds.Set(place(sink), held)
		if said != err.Error() {
			said = err.Error()
			a.log.Error("not ready yet", zap.String("place", place(sink)), zap.Error(err))
		}
		select {
		case <-time.After(retryEvery/2 + rand.N(retryEvery)):
		case <-ctx.Done():
		}
	}
}

func (a *assembly) ensureTable(ctx context.Context, sink *bigquery.Sink) error {
	catalog, err := bigquery.NewCatalog(ctx, sink.ID.Project, sink.Endpoint)
	if err != nil {
		return err
	}
	defer catalog.Close()
	if err := catalog.EnsureDataset(ctx, sink.ID, a.settings.Location); err != nil {
		return err
	}
	if err := catalog.EnsureTable(ctx, sink.ID, sink.Table); err != nil {
		return err
	}
	if sink.Table.Name != "temperature" || sink.ID.Table != "temperature" {
		return nil // the views are over that one
	}
	return catalog.EnsureViews(ctx, sink.ID, schema.Views(sink.ID.Project, sink.ID.Dataset))
}

func place(sink *bigquery.Sink) string { return "table " + sink.ID.String() }
