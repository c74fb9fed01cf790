package ingest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"iotbridge/schema"
)

// stopped runs the worker for a minute and returns how long it then took to end.
func (b *bed) stopped() time.Duration {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	if err := b.worker.Run(ctx); err != nil {
		b.t.Error(err)
	}
	return time.Since(start) - time.Minute
}

// What is held by a fault has no reason to hope for the grace period.
func TestB49_WhatIsHeldIsHandedBackAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 100)...)
		b.table.answer = func(int, []string) error { return &Held{Missing, "no such table"} }
		if took := b.stopped(); took > time.Second || len(b.source.returned) != 100 {
			t.Errorf("ended after %v, %d handed back", took, len(b.source.returned))
		}
	})
}

func TestB49_AnAppendThatDoesNotAnswerEndsWithTheGracePeriod(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 100)...)
		b.table.latency = 24 * time.Hour
		if took := b.stopped(); took > 25*time.Second || len(b.source.returned) != 100 {
			t.Errorf("ended after %v, %d handed back", took, len(b.source.returned))
		}
	})
}

// The table takes the other rows of the batch: it needs no further proof that the
// poison is the row's own.
func TestB50_ConvictedByItsNeighbours(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 100)...)
		b.table.check = func() error { return context.DeadlineExceeded }
		b.table.answer = func(_ int, ids []string) error {
			if i := slices.Index(ids, "7"); i >= 0 {
				return &RowErrors{[]RowError{{i, "poison"}}}
			}
			return nil
		}
		b.run()
		b.allStored(99)
		b.quarantined(map[string]schema.Reason{"7": schema.RejectedByBigQuery})
	})
}

// Escaped, attributes may make a row too large: the payload is kept.
func TestB62_LargestMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := message("0", "device1", strings.Repeat("x", 9_900_000))
		for range 97 {
			m.Attributes = append(m.Attributes, schema.Attribute{Key: []byte(strings.Repeat("\x01", 256)), Value: []byte(strings.Repeat("\x01", 1024))})
		}
		b := newBed(t, m)
		largest := 0
		b.lies.answer = func(int, []string) error { return nil }
		b.run()
		for _, row := range b.lies.raw {
			largest = max(largest, len(row))
		}
		b.quarantined(map[string]schema.Reason{"0": schema.Oversize})
		if got := b.lies.column("0", "data"); len(got) != 9_900_000 || largest > MaxRowBytes {
			t.Errorf("%d bytes of payload in a row of %d", len(got), largest)
		}
		if got := b.lies.column("0", "attributes"); !strings.Contains(got, "device1") {
			t.Errorf("attributes %q", got)
		}
	})
}
