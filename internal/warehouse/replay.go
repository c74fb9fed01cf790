package warehouse

import (
	"context"
	"errors"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/console"
	"iotbridge/ingest"
	bq "iotbridge/ingest/bigquery"
	"iotbridge/internal/buildinfo"
	"iotbridge/internal/quarantine"
	"iotbridge/schema"
)

// Replayer says how refused messages are judged again.
type Replayer struct {
	Subscription    string // through which they came
	AttestationKeys string // a file; "": what was refused for its signature stays
	Endpoint        bq.Endpoint
}

const replayTimeout = 30 * time.Second

// Replay judges what q selects by the temperature table's schema as it is today, stores
// what is good, and logs what became of each.
func (w *Warehouse) Replay(ctx context.Context, actor string, q console.RefusalQuery) (map[string]int, error) {
	if w.Replayer == nil {
		return nil, errors.New("the gateway was not told through which subscription messages come (--console-subscription): iotbridge quarantine replay does it")
	}
	if q.Registry != (gateway.RegistryKey{}) {
		return nil, errors.New("a replay is of all registries")
	}
	table, err := schema.Builtin("temperature")
	if err != nil {
		return nil, err
	}
	gate := ingest.Gate{}
	if gate.Plan, err = table.Compile(); err != nil {
		return nil, err
	}
	if keys := w.Replayer.AttestationKeys; keys != "" {
		if gate.Attestation, err = ingest.OpenAttestor(keys, true); err != nil {
			return nil, err
		}
	}
	settings := bq.Settings{Endpoint: w.Replayer.Endpoint, Version: buildinfo.Current().Version, Streams: 1, Timeout: replayTimeout}
	replays, err := w.replays(ctx, settings)
	if err != nil {
		return nil, err
	}
	defer replays.Close(context.WithoutCancel(ctx))
	sink, err := bq.NewSink(w.Table, table, settings)
	if err != nil {
		return nil, err
	}
	defer sink.Close(context.WithoutCancel(ctx))
	replay := &quarantine.Replay{From: w.quarantine(), Subscription: w.Replayer.Subscription, Gate: gate, Target: w.Table, Sink: sink, Log: &quarantine.ReplayLog{Sink: replays, By: actor}}
	return replay.Run(ctx, filter(q), nil)
}

// replays is the table of what was replayed, made where there is none.
func (w *Warehouse) replays(ctx context.Context, settings bq.Settings) (*bq.Sink, error) {
	table, id := quarantine.LogTable(), w.Quarantine
	id.Table = table.Name
	catalog, err := bq.NewCatalog(ctx, id.Project, settings.Endpoint)
	if err != nil {
		return nil, err
	}
	defer catalog.Close()
	if err := catalog.EnsureTable(ctx, id, table); err != nil {
		return nil, err
	}
	return bq.NewSink(id, table, settings)
}
