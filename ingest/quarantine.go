package ingest

import (
	"context"

	"iotbridge/schema"
)

// Rejected is a message and the verdict on it.
type Rejected struct {
	Message schema.Message
	Why     *schema.Rejection
}

// Topic takes what the quarantine's table does not.
type Topic interface {
	// Publish returns nil when all are durable.
	Publish(ctx context.Context, rejected []Rejected) error
}

// quarantine makes the rows of the quarantine's table.
type quarantine struct {
	plan         *schema.Plan // of the quarantine's table
	claims       *schema.Plan // of the table that the message was meant for
	subscription string
	worker       string
	maxRow       int
}

func (q *quarantine) append(dst []byte, m *schema.Message, why *schema.Rejection, now int64) []byte {
	v := &schema.Verdict{Rejection: why, Claim: q.claims.ClaimOf(m.Data), Now: now, Subscription: q.subscription, Worker: q.worker}
	row := q.plan.AppendRejected(dst, m, v)
	if len(row)-len(dst) <= q.maxRow {
		return row
	}
	// Escaped, attributes can be six times as long. The payload is kept, of them only
	// the one that names the sender.
	bare := *m
	bare.Attributes = nil
	if id, ok := m.Attr(schema.AttrDeviceID); ok {
		bare.Attributes = []schema.Attribute{{Key: []byte(schema.AttrDeviceID), Value: id}}
	}
	v.Rejection = &schema.Rejection{Reason: why.Reason, Detail: "attributes left out, the row was too large; " + why.Detail}
	return q.plan.AppendRejected(dst, &bare, v)
}

// convict writes the suspects of the table into the quarantine.
func (q *quarantine) convict(ctx context.Context, bad *writer, suspects *batch, now int64) {
	b := bad.newBatch()
	for i, r := range suspects.receipts {
		m := r.Delivery.Message(int(r.Index))
		b.rows = q.append(b.rows, &m, suspects.rejections[i], now)
		b.add(r, m.PublishTime, suspects.rejections[i])
	}
	bad.submit(ctx, b)
}

// publish hands a batch of the quarantine to the fallback topic.
func publish(ctx context.Context, t Topic, b *batch) error {
	rejected := make([]Rejected, b.len())
	for i, r := range b.receipts {
		rejected[i] = Rejected{r.Delivery.Message(int(r.Index)), b.rejections[i]}
	}
	return t.Publish(ctx, rejected)
}
