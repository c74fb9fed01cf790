package ingest

import "time"

// bucket gathers rows for one writer. Its lane owns it.
type bucket struct {
	writer  *writer
	limits  Limits
	batch   *batch   // grows
	waiting []*batch // full, and no slot was free
	timer   *time.Timer
	aged    bool
}

func newBucket(w *writer, limits Limits) *bucket {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &bucket{writer: w, limits: limits, batch: w.newBatch(), timer: timer}
}

// added is called after each row that the batch took.
func (b *bucket) added() {
	if b.batch.len() == 1 {
		b.timer.Reset(b.limits.Age)
	}
	if b.batch.len() >= b.limits.Rows || len(b.batch.rows) >= b.limits.Bytes {
		b.close()
	}
}

// fits makes room for a row of n bytes that is in b.batch.rows already: if it
// would make the batch too large it begins the next one.
func (b *bucket) fits(n int) {
	before := len(b.batch.rows) - n
	if before == 0 || len(b.batch.rows) <= b.limits.Bytes {
		return
	}
	row := b.batch.rows[before:]
	b.batch.rows = b.batch.rows[:before]
	b.close()
	b.batch.rows = append(b.batch.rows, row...)
}

func (b *bucket) close() {
	b.waiting = append(b.waiting, b.batch)
	b.batch = b.writer.newBatch()
	b.aged = false
	b.timer.Stop()
}

// slot is where a slot for the next batch comes from; nil while none is wanted.
func (b *bucket) slot() <-chan struct{} {
	if len(b.waiting) > 0 || b.aged {
		return b.writer.slots.free
	}
	return nil
}

// next takes the batch that is to be sent first.
func (b *bucket) next() *batch {
	if len(b.waiting) == 0 {
		b.close()
	}
	next := b.waiting[0]
	b.waiting = b.waiting[1:]
	return next
}
