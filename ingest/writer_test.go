package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"
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
