package quarantine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"iotbridge/ingest"
	bq "iotbridge/ingest/bigquery"
	"iotbridge/schema"
)

// What became of a message, beside today's reasons to reject it.
const (
	Stored        = "stored"
	AlreadyStored = "already_stored"
)

// Bounds of one append.
const (
	maxRows  = 500
	maxBytes = 4 << 20
)

// Replay judges messages of the quarantine again, for one subscription and its table.
type Replay struct {
	From         *Table
	Subscription string
	Gate         ingest.Gate
	Target       bq.TableID
	Sink         ingest.Sink // of Target; nil: nothing is written
	Log          *ReplayLog  // nil: nothing is logged

	done    map[string]bool // ids of this run
	rows    [][]byte
	ids     []string
	size    int
	outcome func(id, outcome, detail string)
}

// Run replays what the filter chooses and counts the outcomes. told learns each of
// them; a nil told is well.
func (r *Replay) Run(ctx context.Context, f Filter, told func(id, outcome, detail string)) (map[string]int, error) {
	counts := map[string]int{}
	r.done = map[string]bool{}
	r.outcome = func(id, outcome, detail string) {
		counts[outcome]++
		if told != nil {
			told(id, outcome, detail)
		}
		if r.Log != nil {
			r.Log.add(id, outcome, detail, r.Subscription, r.Target)
		}
	}
	for m, err := range r.From.candidates(ctx, f, r.Subscription, r.Target) {
		if err == nil {
			err = r.one(ctx, m)
		}
		if err != nil {
			return counts, errors.Join(err, r.logged(ctx))
		}
	}
	return counts, errors.Join(r.store(ctx), r.logged(ctx))
}

// one judges a message; a good one waits for its batch.
func (r *Replay) one(ctx context.Context, m *Message) error {
	id := m.ID.StringVal
	if r.done[id] { // refused twice, as it was delivered twice
		return nil
	}
	r.done[id] = true
	if m.Stored.Bool {
		r.outcome(id, AlreadyStored, "")
		return nil
	}
	if why := r.closed(m); why != nil {
		r.outcome(id, string(why.Reason), why.Detail)
		return nil //nolint:nilerr // a verdict, not a failure
	}
	delivered, err := m.message()
	if err != nil {
		return err
	}
	row, err := r.Gate.Append(nil, delivered, time.Now().UnixMicro())
	if why, rejected := errors.AsType[*schema.Rejection](err); rejected {
		r.outcome(id, string(why.Reason), why.Detail)
		return nil
	}
	if err != nil {
		return err
	}
	if r.size+len(row) > maxBytes || len(r.rows) == maxRows {
		if err := r.store(ctx); err != nil {
			return err
		}
	}
	r.rows, r.ids, r.size = append(r.rows, row), append(r.ids, id), r.size+len(row)
	return nil
}

// closed keeps out what this gate could not have refused: who asks for no signature
// finds none missing.
func (r *Replay) closed(m *Message) *schema.Rejection {
	switch reason := schema.Reason(m.Reason.StringVal); reason {
	case schema.AttestationMissing, schema.AttestationInvalid:
		if r.Gate.Attestation == nil {
			return schema.NewRejection(reason, "not judged again without the keys of the attestation")
		}
	case schema.DeviceBlocked:
		if r.Gate.Denied == nil {
			return schema.NewRejection(reason, "not judged again without the deny list")
		}
	}
	return nil
}

// store writes the batch, and logs it only then.
func (r *Replay) store(ctx context.Context) error {
	rows, ids := r.rows, r.ids
	r.rows, r.ids, r.size = nil, nil, 0
	if r.Sink == nil {
		for _, id := range ids {
			r.outcome(id, Stored, "")
		}
		return nil
	}
	if err := r.append(ctx, rows, ids); err != nil {
		return err
	}
	return r.logged(ctx)
}

// append stores the rows that BigQuery takes; those that it names, or refuses alone,
// stay where they are.
func (r *Replay) append(ctx context.Context, rows [][]byte, ids []string) error {
	if len(rows) == 0 {
		return nil
	}
	err := r.Sink.Append(ctx, rows)
	var named *ingest.RowErrors
	var refused *ingest.Refused
	switch {
	case err == nil:
		for _, id := range ids {
			r.outcome(id, Stored, "")
		}
		return nil
	case errors.As(err, &named) && len(named.Rows) > 0:
		return r.without(ctx, rows, ids, named)
	case errors.As(err, &refused) && len(rows) > 1:
		half := len(rows) / 2
		return errors.Join(r.append(ctx, rows[:half], ids[:half]), r.append(ctx, rows[half:], ids[half:]))
	case errors.As(err, &refused):
		r.outcome(ids[0], string(schema.RejectedByBigQuery), refused.Detail)
		return nil
	}
	return fmt.Errorf("table %s: %w; run the replay again, it goes on from here", r.Target, err)
}

func (r *Replay) without(ctx context.Context, rows [][]byte, ids []string, named *ingest.RowErrors) error {
	bad := map[int]bool{}
	for _, e := range named.Rows {
		if e.Index >= 0 && e.Index < len(rows) && !bad[e.Index] {
			bad[e.Index] = true
			r.outcome(ids[e.Index], string(schema.RejectedByBigQuery), e.Detail)
		}
	}
	if len(bad) == 0 {
		return named
	}
	var goodRows [][]byte
	var goodIDs []string
	for i := range rows {
		if !bad[i] {
			goodRows, goodIDs = append(goodRows, rows[i]), append(goodIDs, ids[i])
		}
	}
	return r.append(ctx, goodRows, goodIDs)
}

func (r *Replay) logged(ctx context.Context) error {
	if r.Log == nil {
		return nil
	}
	return r.Log.flush(ctx)
}
