package ingest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"iotbridge/schema"
)

func (b *bed) quarantined(want map[string]schema.Reason) {
	b.t.Helper()
	if got := b.lies.count(); got != len(want) {
		b.t.Errorf("%d messages in quarantine, want %d", got, len(want))
	}
	for id, reason := range want {
		if got := b.lies.column(id, "reason"); got != string(reason) {
			b.t.Errorf("message %s: reason %q, want %q", id, got, reason)
		}
		if b.table.has(id) {
			b.t.Errorf("message %s is in quarantine and in the table", id)
		}
	}
}

// The quarantine is down: its messages are not acked, and the good rows flow on.
func TestB61_QuarantineDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var in []schema.Message
		for i := range 2000 {
			if i%2 == 0 {
				in = append(in, honest(i, 1)...)
			} else {
				in = append(in, message(fmt.Sprint(i), "device1", "no JSON"))
			}
		}
		b := newBed(t, in...)
		b.worker.Limits.Rows = 10 // far more batches than slots
		start := time.Now()
		b.lies.answer = func(int, []string) error {
			if time.Since(start) < time.Hour {
				return &Held{Permission, "denied"}
			}
			return nil
		}
		time.AfterFunc(10*time.Second, func() {
			if b.table.count() != 1000 || b.source.open() != 1000 {
				t.Errorf("after 10 s: %d good rows, %d messages open, want 1000", b.table.count(), b.source.open())
			}
		})
		b.run()
		if b.table.count() != 1000 || b.lies.count() != 1000 {
			t.Errorf("%d good, %d quarantined", b.table.count(), b.lies.count())
		}
	})
}

type memTopic struct {
	got  map[string]schema.Reason
	down bool
}

func (m *memTopic) Publish(_ context.Context, rejected []Rejected) error {
	if m.down {
		return errors.New("down")
	}
	for _, r := range rejected {
		m.got[string(r.Message.ID)] = r.Why.Reason
	}
	return nil
}

func TestB61_FallbackTopic(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("down=%v", down), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBed(t, append(honest(0, 10), message("10", "device1", "no JSON"))...)
				topic := &memTopic{map[string]schema.Reason{}, down}
				b.worker.Routes[0].Topic = topic
				b.source.confirmed = func(id string) bool { return b.table.has(id) || topic.got[id] != "" }
				b.lies.answer = func(int, []string) error { return &Held{Missing, "no such table"} }
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := b.worker.Run(ctx); err != nil {
					t.Error(err)
				}
				if got := topic.got["10"]; !down && got != schema.MalformedBody {
					t.Errorf("on the topic: %q", got)
				}
				if back := b.source.returned["10"]; down && back != 1 {
					t.Errorf("handed back %d times", back)
				}
			})
		})
	}
}

// A flood of garbage goes its own way: the good rows beside it wait no longer.
func TestB63_GarbageFlood(t *testing.T) {
	took := func(garbage int) (d time.Duration) {
		bubble(t, func(t *testing.T) {
			b := newBed(t)
			for i := range garbage {
				b.source.put(message("g"+fmt.Sprint(i), "device1", "no JSON"))
			}
			b.source.put(honest(0, 100)...)
			start := time.Now()
			b.table.answer = func(int, []string) error {
				d = time.Since(start)
				return nil
			}
			b.run()
		})
		return d
	}
	idle, flooded := took(0), took(50_000)
	if flooded > 2*idle {
		t.Errorf("a good row was durable after %v beside garbage, %v without", flooded, idle)
	}
}
