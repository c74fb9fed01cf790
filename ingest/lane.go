package ingest

import (
	"context"
	"errors"
	"time"

	"iotbridge/schema"
)

// lane is the one goroutine in which a route's messages are judged and turned
// into rows.
type lane struct {
	judge      *judge
	quarantine *quarantine
	good, bad  *bucket
	dry        *dryRun // nil: in earnest
}

// run ends when in is closed; what it holds is then on its way.
func (l *lane) run(ctx context.Context, in <-chan Delivery) {
	for {
		select {
		case d, ok := <-in:
			if !ok {
				l.flush(ctx)
				return
			}
			l.take(d)
		case <-l.good.slot():
			l.good.writer.start(ctx, l.good.next())
		case <-l.bad.slot():
			l.bad.writer.start(ctx, l.bad.next())
		case <-l.good.timer.C:
			l.good.aged = true
		case <-l.bad.timer.C:
			l.bad.aged = true
		}
	}
}

func (l *lane) take(d Delivery) {
	now := time.Now().UnixMicro()
	for i, m := range d.Messages() {
		r := Receipt{d, int32(i)}
		if l.dry != nil {
			l.dry.take(l.judge, m, now, r)
			continue
		}
		b := l.good.batch
		before := len(b.rows)
		rows, err := l.judge.append(b.rows, m, now)
		if err == nil {
			b.rows = rows
			l.good.fits(len(rows) - before)
			l.good.batch.add(r, m.PublishTime, nil)
			l.good.added()
			continue
		}
		var why *schema.Rejection
		errors.As(err, &why)
		l.reject(r, m, why, now)
	}
}

func (l *lane) reject(r Receipt, m *schema.Message, why *schema.Rejection, now int64) {
	b := l.bad.batch
	before := len(b.rows)
	b.rows = l.quarantine.append(b.rows, m, why, now)
	l.bad.fits(len(b.rows) - before)
	l.bad.batch.add(r, m.PublishTime, why)
	l.bad.added()
}

// flush sends all that the buckets hold, slot or no slot: nothing more will come.
func (l *lane) flush(ctx context.Context) {
	for _, b := range []*bucket{l.good, l.bad} {
		if b.batch.len() > 0 {
			b.close()
		}
		for _, full := range b.waiting {
			b.writer.submit(ctx, full)
		}
	}
}
