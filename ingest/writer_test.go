package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iotbridge/schema"
)

func TestHonestMessagesAreStoredOnceAndAcked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 10_000)...)
		b.run()
		b.allStored(10_000)
		if n := len(b.table.requests); n != 4 {
			t.Errorf("%d appends, want 4 full batches", n)
		}
	})
}

func (b *bed) allStored(n int) {
	b.t.Helper()
	if got := b.table.count(); got != n {
		b.t.Errorf("%d messages in the table, want %d", got, n)
	}
	for id, rows := range b.table.rows {
		if rows != 1 {
			b.t.Errorf("message %s has %d rows", id, rows)
		}
	}
}

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

// The answer is lost after the rows were stored: they are sent again, and acked
// only when an answer came. A duplicate row is the price, and the only one.
func TestB47_ResponseLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 100)...)
		b.table.answer = func(n int, _ []string) error {
			if n == 1 {
				return lost{}
			}
			return nil
		}
		b.run()
		for id, rows := range b.table.rows {
			if rows != 2 || b.source.acked[id] != 1 {
				t.Errorf("message %s: %d rows, %d acks", id, rows, b.source.acked[id])
			}
		}
		b.quarantined(nil)
	})
}

// At the end of Run what is under way is awaited and acked; what cannot be stored
// is handed back.
func TestB49_StopDuringAppend(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("down=%v", down), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBed(t, honest(0, 5000)...)
				b.table.latency = 3 * time.Second
				if down {
					b.table.answer = func(int, []string) error { return errors.New("connection reset") }
				}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				start := time.Now()
				if err := b.worker.Run(ctx); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > 26*time.Second {
					t.Errorf("stopping took %v", took)
				}
				if open := b.source.open(); open != 0 {
					t.Errorf("%d messages neither acked nor handed back", open)
				}
				if want := 5000; !down && (len(b.source.acked) != want || len(b.source.returned) != 0) {
					t.Errorf("%d acked, %d handed back", len(b.source.acked), len(b.source.returned))
				} else if down && len(b.source.returned) != want {
					t.Errorf("%d handed back, want %d", len(b.source.returned), want)
				}
			})
		})
	}
}

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

func TestB56_BatchesAreCutAtTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		pad := strings.Repeat("x", 200_000)
		var in []schema.Message
		for i := range 100 {
			in = append(in, message(fmt.Sprint(i), "device1", `{"timestamp":1,"temperature":1,"pad":"`+pad+`"}`))
		}
		in = append(in, message("100", "device1", `{"timestamp":1,"temperature":1,"pad":"`+pad+pad+`"}`))
		b := newBed(t, in...)
		b.worker.Limits.Bytes = 1 << 30
		largest := 0
		b.table.answer = func(_ int, ids []string) error {
			largest = max(largest, len(ids))
			return nil
		}
		b.run()
		b.allStored(100)
		b.quarantined(map[string]schema.Reason{"100": schema.Oversize})
		if largest*200_000 > MaxBatchBytes || largest < 40 {
			t.Errorf("the largest append had %d rows of 200 kB", largest)
		}
	})
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

func TestDryRunWritesNothingAndHandsEverythingBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, append(honest(0, 10), message("10", "device1", "no JSON"))...)
		b.worker.DryRun, b.worker.Drain = true, true
		if err := b.worker.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if len(b.table.requests)+len(b.lies.requests) != 0 || len(b.source.returned) != 11 || len(b.source.acked) != 0 {
			t.Errorf("%d appends, %d handed back, %d acked", len(b.table.requests)+len(b.lies.requests), len(b.source.returned), len(b.source.acked))
		}
	})
}

func TestDrainEndsWhenNothingComesAndNothingIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 100)...)
		b.worker.Drain = true
		start := time.Now()
		b.table.answer = func(int, []string) error {
			if time.Since(start) < time.Hour {
				return &Held{Missing, "no such table"}
			}
			return nil
		}
		if err := b.worker.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < time.Hour || took > time.Hour+2*time.Minute {
			t.Errorf("ended after %v", took)
		}
		b.allStored(100)
	})
}

// A batch that failed without a clear answer may still be in a client library's
// hands: its memory is not used again.
func TestMemoryOfAFailedAppendIsNotReused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 1)...)
		w := b.worker
		if err := w.defaults(); err != nil {
			t.Fatal(err)
		}
		wr := w.writer(t.Context().Done(), "t", b.table)
		wr.confirmed = func(*batch) {}
		b.table.answer = func(n int, _ []string) error {
			if n == 1 {
				return errors.New("unclear")
			}
			return nil
		}
		failed, fine := &batch{}, &batch{}
		failed.add(Receipt{}, 0, nil)
		fine.add(Receipt{}, 0, nil)
		wr.submit(t.Context(), failed)
		synctest.Wait()
		wr.group.Wait()
		wr.submit(t.Context(), fine)
		wr.group.Wait()
		for range 10 {
			if wr.newBatch() == failed {
				t.Error("the batch whose append failed is in use again")
			}
		}
	})
}

// BigQuery is down for a day: nothing is handed back, which would count as a
// delivery attempt against a dead-letter policy, and nothing is quarantined.
func TestB43_DayOfOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBed(t, honest(0, 1000)...)
		start := time.Now()
		b.table.answer = func(int, []string) error {
			if time.Since(start) < 23*time.Hour {
				return &Held{Unavailable, "the service is down"}
			}
			return nil
		}
		b.run()
		b.allStored(1000)
		b.quarantined(nil)
		if n := len(b.source.returned); n != 0 {
			t.Errorf("%d messages were handed back", n)
		}
	})
}

// Nobody asked for decompression: a compressed body is no JSON object.
func TestG9_CompressedBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write(make([]byte, 1<<20)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		b := newBed(t, message("0", "device1", z.String()))
		b.run()
		b.quarantined(map[string]schema.Reason{"0": schema.MalformedBody})
		if got := b.lies.column("0", "data"); got != z.String() {
			t.Errorf("%d raw bytes, want %d", len(got), z.Len())
		}
	})
}

// The number of series does not depend on who sends what.
func TestG14_LabelsAreClosed(t *testing.T) {
	series := func(devices int) (n int) {
		bubble(t, func(t *testing.T) {
			var in []schema.Message
			for i := range devices {
				device := fmt.Sprintf("device%d", i)
				in = append(in, message(fmt.Sprint(2*i), device, `{"timestamp":1,"temperature":1}`),
					message(fmt.Sprint(2*i+1), device, fmt.Sprintf(`{"device_id":"x%d"}`, i)))
			}
			b := newBed(t, in...)
			reg := prometheus.NewRegistry()
			b.worker.Metrics = NewMetrics(reg)
			b.run()
			families, err := reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				n += len(f.GetMetric())
			}
		})
		return n
	}
	if few, many := series(1), series(5000); few != many {
		t.Errorf("%d series with one device, %d with 5,000", few, many)
	}
}
