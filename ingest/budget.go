package ingest

import (
	"context"
	"sync"
)

// Budget bounds what the worker holds, from pull to ack, over all its routes.
type Budget struct {
	messages, bytes int // the limits

	mu           sync.Mutex
	usedMessages int
	usedBytes    int
	room         chan struct{} // closed when credit comes back; nil when nobody waits
}

// NewBudget returns a budget of so many messages and bytes of messages.
func NewBudget(messages, bytes int) *Budget { return &Budget{messages: messages, bytes: bytes} }

// Limits returns what NewBudget was given.
func (b *Budget) Limits() (messages, bytes int) { return b.messages, b.bytes }

// Wait blocks until there is credit left. What a caller then receives may
// overdraw it by one delivery: its size is not known before.
func (b *Budget) Wait(ctx context.Context) error {
	for {
		b.mu.Lock()
		if b.usedMessages < b.messages && b.usedBytes < b.bytes {
			b.mu.Unlock()
			return nil
		}
		if b.room == nil {
			b.room = make(chan struct{})
		}
		room := b.room
		b.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Take books what was received.
func (b *Budget) Take(messages, bytes int) { b.add(messages, bytes) }

// Give returns the credit of what was settled.
func (b *Budget) Give(messages, bytes int) { b.add(-messages, -bytes) }

// Used returns what is booked.
func (b *Budget) Used() (messages, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.usedMessages, b.usedBytes
}

// utilization is 0 to 1; an overdraft is full, too.
func (b *Budget) utilization() float64 {
	messages, bytes := b.Used()
	return min(1, max(float64(messages)/float64(b.messages), float64(bytes)/float64(b.bytes)))
}

func (b *Budget) add(messages, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.usedMessages += messages
	b.usedBytes += bytes
	if b.room != nil && b.usedMessages < b.messages && b.usedBytes < b.bytes {
		close(b.room)
		b.room = nil
	}
}
