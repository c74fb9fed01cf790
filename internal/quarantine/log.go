package quarantine

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"iotbridge/ingest"
	bq "iotbridge/ingest/bigquery"
	"iotbridge/schema"
)

//go:embed replays.yaml
var replays []byte

// LogTable is the table of the replays: quarantine_replays, beside the quarantine.
func LogTable() *schema.Table {
	t, err := schema.Load("replays.yaml", replays)
	if err != nil {
		panic(err) // embedded, and a test reads it
	}
	return t
}

// ReplayLog is where replays are logged: one row a message and replay.
type ReplayLog struct {
	Sink ingest.Sink // of LogTable
	By   string      // who replays

	plan *schema.Plan
	rows [][]byte
}

func (l *ReplayLog) add(id, outcome, detail, subscription string, target bq.TableID) {
	if l.plan == nil {
		plan, err := LogTable().Compile()
		if err != nil {
			panic(err)
		}
		l.plan = plan
	}
	m := &schema.Message{ID: []byte(id), Attributes: []schema.Attribute{{Key: []byte("targetTable"), Value: []byte(target.String())}}}
	l.rows = append(l.rows, l.plan.AppendRejected(nil, m, &schema.Verdict{
		Rejection: &schema.Rejection{Reason: schema.Reason(outcome), Detail: detail},
		Now:       time.Now().UnixMicro(), Subscription: subscription, Worker: l.By,
	}))
}

// flush writes what waits. What it did not write it keeps.
func (l *ReplayLog) flush(ctx context.Context) error {
	for len(l.rows) > 0 {
		n := min(len(l.rows), maxRows)
		if err := l.Sink.Append(ctx, l.rows[:n]); err != nil {
			return fmt.Errorf("the replay is done but not logged: %w", err)
		}
		l.rows = l.rows[n:]
	}
	return nil
}
