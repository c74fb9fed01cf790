package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iotbridge/schema"
)

func TestB50_OnePoisonRow(t *testing.T) {
	refuse := func(poison ...string) func(int, []string) error {
		return func(_ int, ids []string) error {
			e := &RowErrors{}
			for i, id := range ids {
				if slices.Contains(poison, id) {
					e.Rows = append(e.Rows, RowError{i, "the row is poison"})
				}
			}
			if e.Rows == nil {
				return nil
			}
			return e
		}
	}
	t.Run("one of many", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBed(t, honest(0, 2500)...)
			b.table.answer = refuse("77")
			b.run()
			b.allStored(2499)
			b.quarantined(map[string]schema.Reason{"77": schema.RejectedByBigQuery})
			if len(b.table.requests) != 2 {
				t.Errorf("%d requests, want exactly 2", len(b.table.requests))
			}
			if got := b.lies.column("77", "detail"); got != "the row is poison" {
				t.Errorf("detail %q", got)
			}
		})
	})
	t.Run("the list is not complete", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBed(t, honest(0, 100)...)
			all := refuse("3", "4", "5")
			b.table.answer = func(n int, ids []string) error {
				err := all(n, ids)
				var e *RowErrors
				if errors.As(err, &e) {
					e.Rows = e.Rows[:1]
				}
				return err
			}
			b.run()
			b.allStored(97)
			b.quarantined(map[string]schema.Reason{"3": schema.RejectedByBigQuery, "4": schema.RejectedByBigQuery, "5": schema.RejectedByBigQuery})
		})
	})
	t.Run("the index is wrong", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBed(t, honest(0, 512)...)
			b.table.answer = func(_ int, ids []string) error {
				if slices.Contains(ids, "99") {
					return &RowErrors{[]RowError{{100_000, "?"}}}
				}
				return nil
			}
			b.run()
			b.allStored(511)
			b.quarantined(map[string]schema.Reason{"99": schema.RejectedByBigQuery})
		})
	})
	t.Run("every row of the batch, and the schema fits", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBed(t, honest(0, 2)...)
			b.table.answer = refuse("0", "1")
			b.run()
			b.quarantined(map[string]schema.Reason{"0": schema.RejectedByBigQuery, "1": schema.RejectedByBigQuery})
		})
	})
}

func TestB51_RefusalWithoutRowErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 512)...)
		b.table.answer = func(_ int, ids []string) error {
			if slices.Contains(ids, "300") {
				return &Refused{"400"}
			}
			return nil
		}
		b.run()
		b.allStored(511)
		b.quarantined(map[string]schema.Reason{"300": schema.RejectedByBigQuery})
		if n := len(b.table.requests) - 1; n > 18 {
			t.Errorf("%d further requests, want at most 2·log2(512)", n)
		}
	})
}

// A lone row is refused and nothing has ever passed: nobody knows whose fault it
// is. It is held, and convicted when another row shows.
func TestB51_LoneRowWithoutProofIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 1)...)
		b.table.answer = func(_ int, ids []string) error {
			if slices.Contains(ids, "0") {
				return &Refused{"400"}
			}
			return nil
		}
		time.AfterFunc(time.Hour, func() {
			if got := b.worker.Holds.Reasons(); len(got) != 1 || b.lies.count() != 0 {
				t.Errorf("after an hour: held %q, %d in quarantine", got, b.lies.count())
			}
			b.source.put(honest(1, 1)...)
		})
		if took := b.run(); took < time.Hour || took > 2*time.Hour {
			t.Errorf("took %v", took)
		}
		b.allStored(1)
		b.quarantined(map[string]schema.Reason{"0": schema.RejectedByBigQuery})
	})
}

// A REQUIRED column was added to the table: every row is refused by name, and no
// row is at fault.
func TestB52_SchemaDriftHoldsGoodRows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 3000)...)
		start := time.Now()
		drifted := func() bool { return time.Since(start) < time.Hour }
		b.table.answer = func(_ int, ids []string) error {
			e := &RowErrors{}
			for i := range ids {
				e.Rows = append(e.Rows, RowError{i, "missing required field"})
			}
			if drifted() {
				return e
			}
			return nil
		}
		b.table.check = func() error {
			if drifted() {
				return &Held{Drift, "column site is REQUIRED and ours does not have it"}
			}
			return nil
		}
		b.run()
		b.allStored(3000)
		b.quarantined(nil)
	})
}

func TestB53_B54_HoldsAndHeals(t *testing.T) {
	for _, cause := range []Cause{Missing, Permission, Drift, Quota, Unavailable} {
		t.Run(string(cause), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBed(t, honest(0, 3000)...)
				start := time.Now()
				b.table.answer = func(int, []string) error {
					if time.Since(start) < time.Hour {
						return &Held{cause, "p.d.temperature does not take rows: " + string(cause)}
					}
					return nil
				}
				time.AfterFunc(30*time.Minute, func() {
					if got := b.worker.Holds.Reasons(); len(got) != 1 || !strings.Contains(got[0], string(cause)) {
						t.Errorf("held: %q", got)
					}
				})
				if took := b.run(); took > time.Hour+time.Minute {
					t.Errorf("it took %v to notice that the table works", took-time.Hour)
				}
				b.allStored(3000)
				b.quarantined(nil)
				if got := b.worker.Holds.Reasons(); len(got) != 0 {
					t.Errorf("still held: %q", got)
				}
			})
		})
	}
}

// What nobody understands is sent again, never acked, never quarantined.
func TestB55_B58_UnknownAnswersAreRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 100)...)
		b.table.answer = func(n int, _ []string) error {
			if n <= 10 {
				return fmt.Errorf("answer %d is not understood", n)
			}
			return nil
		}
		b.run()
		b.allStored(100)
		b.quarantined(nil)
	})
}

func TestB55_QuotaHalvesWhatIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 100_000)...)
		b.worker.Limits.Rows = 100
		var phase atomic.Int64
		var peak int
		b.table.answer = func(n int, _ []string) error {
			switch {
			case n <= 8:
				return &Held{Quota, "Exceeds 'AppendRows throughput' quota"}
			case n < 20:
				phase.Store(max(phase.Load(), int64(b.table.underWay())))
			}
			if n > 100 {
				b.table.mu.Lock()
				peak = max(peak, b.table.under)
				b.table.mu.Unlock()
			}
			return nil
		}
		b.run()
		b.allStored(100_000)
		if phase.Load() > 5 { // one at first, and one more after as many successes
			t.Errorf("%d appends under way soon after the quota answers", phase.Load())
		}
		if peak != 8 {
			t.Errorf("it did not come back to 8 appends under way, but to %d", peak)
		}
	})
}
