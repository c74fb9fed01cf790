package ingest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"iotbridge/schema"
)

// A row that the quarantine refuses and that nothing else takes stays, and the
// worker says so, in the words of the refusal.
func TestB61_WhatTheQuarantineRefusesIsHeldAloud(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, message("0", "device1", "no JSON"), message("1", "device1", "no JSON"))
		b.lies.answer = func(_ int, ids []string) error {
			if slices.Contains(ids, "1") {
				return &Refused{"row too large"}
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		time.AfterFunc(time.Minute, func() {
			if why := b.worker.Holds.Reasons(); len(why) != 1 || !strings.Contains(why[0], "p.d.quarantine") || !strings.Contains(why[0], "row too large") {
				t.Errorf("held for %q", why)
			}
		})
		if err := b.worker.Run(ctx); err != nil {
			t.Error(err)
		}
		if b.lies.has("1") || b.source.returned["1"] != 1 || b.source.acked["0"] != 1 {
			t.Errorf("acked %v, handed back %v", b.source.acked, b.source.returned)
		}
	})
}

// A hold ends when its table has answered, also where that was to refuse a row.
func TestB53_AHoldEndsWithAConviction(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 1)...)
		b.table.answer = func(n int, _ []string) error {
			if n == 1 {
				return &Held{Missing, "no such table"}
			}
			return &RowErrors{[]RowError{{0, "poison"}}}
		}
		b.run()
		b.quarantined(map[string]schema.Reason{"0": schema.RejectedByBigQuery})
		if why := b.worker.Holds.Reasons(); len(why) != 0 {
			t.Errorf("still held: %q", why)
		}
	})
}

// What the topic took is not held: a drain ends, though the quarantine is gone.
func TestB61_ADrainEndsWhereTheTopicTakesWhatTheQuarantineDoesNot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, message("0", "device1", "no JSON"))
		topic := &memTopic{map[string]schema.Reason{}, false}
		b.worker.Routes[0].Topic, b.worker.Drain = topic, true
		b.source.confirmed = func(id string) bool { return topic.got[id] != "" }
		b.lies.answer = func(int, []string) error { return &Held{Missing, "no such table"} }
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := b.worker.Run(ctx); err != nil || ctx.Err() != nil {
			t.Errorf("Run: %v; holds: %q", err, b.worker.Holds.Reasons())
		}
		if b.source.acked["0"] != 1 {
			t.Errorf("acked %v", b.source.acked)
		}
	})
}

// What is given nowhere to be told tells nothing.
func TestNilHoldsTellNothing(t *testing.T) {
	var h *Holds
	h.Set("place", &Held{Missing, "gone"})
	h.Clear("place")
	if why := h.Reasons(); why != nil {
		t.Errorf("held for %q", why)
	}
}
