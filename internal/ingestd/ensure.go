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

// ensureEvery is how often what cannot be made is tried again.
const ensureEvery = 5 * time.Second

// ensure makes dataset, tables and views. What the service refuses is held and
// tried again until ctx ends, like everything that a service refuses.
func (a *assembly) ensure(ctx context.Context) {
	for _, sink := range a.sinks {
		place := "table " + sink.ID.String()
		for {
			err := a.ensureTable(ctx, sink)
			if err == nil || ctx.Err() != nil {
				a.holds.Clear(place)
				break
			}
			held := &ingest.Held{Cause: ingest.Unavailable, Detail: err.Error()}
			errors.As(err, &held)
			if !a.holds.Set(place, held) {
				a.log.Error("cannot be made", zap.String("place", place), zap.Error(err))
			}
			select {
			case <-time.After(ensureEvery/2 + rand.N(ensureEvery)):
			case <-ctx.Done():
			}
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
