package ingest

import (
	"errors"

	"go.uber.org/zap"

	"iotbridge/schema"
)

// dryRun counts verdicts and keeps the messages, so that none is counted twice,
// until they are all handed back at the end. Full budget: no more comes.
type dryRun struct {
	good     int
	bad      map[schema.Reason]int
	receipts []Receipt
	row      []byte // scratch
}

func (d *dryRun) take(j *judge, m *schema.Message, now int64, r Receipt) {
	row, err := j.append(d.row[:0], m, now)
	d.row = row
	d.receipts = append(d.receipts, r)
	var why *schema.Rejection
	if !errors.As(err, &why) {
		d.good++
		return
	}
	if d.bad == nil {
		d.bad = map[schema.Reason]int{}
	}
	d.bad[why.Reason]++
}

func (d *dryRun) end(s settler, r *Route, log *zap.Logger) {
	fields := []zap.Field{zap.String("subscription", r.Subscription), zap.String("table", r.Table), zap.Int("would_store", d.good)}
	for reason, n := range d.bad {
		fields = append(fields, zap.Int("would_quarantine_"+string(reason), n))
	}
	log.Info("dry run: nothing was written, every message is handed back", fields...)
	s.returned(&batch{receipts: d.receipts, ends: make([]int, len(d.receipts))})
}
