package ingest

import (
	"context"
	"iter"

	"iotbridge/schema"
)

// Source is where messages come from: one subscription.
type Source interface {
	// Pull hands deliveries to deliver until ctx ends, and then returns nil. It
	// holds and retries by itself whatever the service answers. deliver may block;
	// it may be called by several goroutines.
	Pull(ctx context.Context, deliver func(Delivery)) error
	// Ack tells the service to forget messages; Return hands them back for
	// another delivery. Each delivered message is settled once, by one of them;
	// until then its lease is kept. Neither blocks, nor keeps the slice.
	Ack([]Receipt)
	Return([]Receipt)
	// Close sends the settlements that wait, and ends the leases. It comes after
	// Pull has returned. An error tells what could not be sent: it will be
	// delivered again.
	Close(ctx context.Context) error
}

// Delivery is the messages that arrived together, and the unit of leasing.
type Delivery interface {
	Len() int
	// Messages yields index and message; the message holds until the next one.
	Messages() iter.Seq2[int, *schema.Message]
	// Message is one of them again. It holds until it is settled.
	Message(i int) schema.Message
}

// Receipt names one message of a delivery.
type Receipt struct {
	Delivery Delivery
	Index    int32
}
