package ingest

import (
	"time"

	"iotbridge/schema"
)

// Limits say when a batch is full or old enough.
type Limits struct {
	Rows  int
	Bytes int // of its rows; a larger row travels alone
	Age   time.Duration
}

// batch is rows under way to one table, and the messages that they came from.
type batch struct {
	rows      []byte // one after another
	ends      []int  // where each ends
	receipts  []Receipt
	published []int64 // µs, when each message was
	// rejections say why each row is in the quarantine; nil on the way to the table.
	rejections []*schema.Rejection
	views      [][]byte // of the rows, for the sink
	// lent says that an append of the rows failed: a client library may still hold them.
	lent bool
}

func (b *batch) len() int { return len(b.ends) }

// add takes a row that the caller has appended to b.rows.
func (b *batch) add(r Receipt, published int64, why *schema.Rejection) {
	b.ends = append(b.ends, len(b.rows))
	b.receipts = append(b.receipts, r)
	b.published = append(b.published, published)
	if why != nil {
		b.rejections = append(b.rejections, why)
	}
}

func (b *batch) row(i int) []byte {
	start := 0
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.rows[start:b.ends[i]:b.ends[i]]
}

// slices is the form in which a sink takes the rows.
func (b *batch) slices() [][]byte {
	b.views = b.views[:0]
	for i := range b.len() {
		b.views = append(b.views, b.row(i))
	}
	return b.views
}

// copyRow takes row i of another batch.
func (b *batch) copyRow(from *batch, i int) {
	b.rows = append(b.rows, from.row(i)...)
	var why *schema.Rejection
	if from.rejections != nil {
		why = from.rejections[i]
	}
	b.add(from.receipts[i], from.published[i], why)
}

// part is the rows from..to of b, which it copies.
func (b *batch) part(from, to int) *batch {
	p := &batch{}
	for i := from; i < to; i++ {
		p.copyRow(b, i)
	}
	return p
}

// reset empties the batch and lets go of the messages, but keeps its memory.
func (b *batch) reset() {
	clear(b.receipts)
	clear(b.rejections)
	clear(b.views)
	b.rows, b.ends, b.receipts, b.published = b.rows[:0], b.ends[:0], b.receipts[:0], b.published[:0]
	b.rejections = b.rejections[:0]
}
