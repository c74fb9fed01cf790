package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/schema"
)

func TestUtilizationIsTheFullerOfMessagesAndBytes(t *testing.T) {
	for _, c := range []struct {
		messages, bytes int
		want            float64
	}{{0, 0, 0}, {2, 100, 0.2}, {1, 500, 0.5}, {10, 1, 1}, {11, 1500, 1}} {
		b := NewBudget(10, 1000)
		b.Take(c.messages, c.bytes)
		if got := b.utilization(); got != c.want {
			t.Errorf("%d messages, %d bytes: %v, want %v", c.messages, c.bytes, got, c.want)
		}
	}
}

func TestTheOldestIsOfAllSources(t *testing.T) {
	bubble(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := NewMetrics(reg)
		NewBudget(4, 4).Observe(reg)
		ago := func(d time.Duration) func() time.Time {
			at := time.Now().Add(-d)
			return func() time.Time { return at }
		}
		none := func() time.Time { return time.Time{} }
		want := func(received, published int) {
			t.Helper()
			err := testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(`
# HELP ingest_oldest_message_age_seconds How long ago the message was published that is the oldest of those that are held.
# TYPE ingest_oldest_message_age_seconds gauge
ingest_oldest_message_age_seconds %d
# HELP ingest_oldest_unacked_seconds How long the oldest message that is held has been held.
# TYPE ingest_oldest_unacked_seconds gauge
ingest_oldest_unacked_seconds %d
`, published, received)), "ingest_oldest_message_age_seconds", "ingest_oldest_unacked_seconds")
			if err != nil {
				t.Error(err)
			}
		}
		want(0, 0)
		m.TrackOldest(none, none)
		want(0, 0)
		m.TrackOldest(ago(30*time.Second), ago(time.Hour))
		m.TrackOldest(ago(40*time.Second), ago(50*time.Second))
		m.TrackOldest(ago(time.Second), ago(-time.Minute)) // two clocks disagree
		want(40, 3600)
	})
}

// lies makes n messages whose body claims another device than the trusted one.
func lies(first, n int, device string) (out []schema.Message) {
	for i := range n {
		out = append(out, message(fmt.Sprint("lie", first+i), device, `{"device_id":"victim","timestamp":1700000000,"temperature":1}`))
	}
	return out
}

// What one device does stands out, whatever many others do once each, and is
// forgotten after ten minutes. Other faults do not count.
func TestMismatchesOfTheTopDevice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		top := func(b *bed) uint32 { return b.worker.Metrics.mismatches.top(time.Now()) }
		var in []schema.Message
		for i := range 50 {
			in = append(in, lies(i, 1, fmt.Sprint("device", i))...)
			in = append(in, message(fmt.Sprint("bad", i), "device9", "no JSON"))
		}
		in = append(in, lies(1000, 7, "liar")...)
		other := lies(2000, 7, "liar") // another registry's
		for i := range other {
			other[i].Attributes[0].Value = []byte("other")
		}
		b := newBed(t, append(in, other...)...)
		reg := prometheus.NewPedanticRegistry()
		b.worker.Metrics = NewMetrics(reg)
		b.run()
		if got := top(b); got != 7 {
			t.Errorf("%d of one device, want 7", got)
		}
		err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP ingest_mismatches_top_device The most device_mismatch messages of any one device in the last 10 minutes; rather too few than too many.
# TYPE ingest_mismatches_top_device gauge
ingest_mismatches_top_device 7
`), "ingest_mismatches_top_device")
		if err != nil {
			t.Error(err)
		}
		pass(8 * time.Minute)
		if got := top(b); got != 7 {
			t.Errorf("%d after 8 minutes, want 7", got)
		}
		pass(3 * time.Minute)
		if got := top(b); got != 0 {
			t.Errorf("%d after 11 minutes, want 0", got)
		}
	})
}

func TestMismatchesOfMoreDevicesThanFit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var c mismatches
		now := time.Now()
		const devices, often = 5 * mismatchDevices, 100
		for i := range devices {
			m := message("x", fmt.Sprint("device", i), "")
			c.count(&m, now)
			if liar := message("x", "liar", ""); i%(devices/often) == 0 {
				c.count(&liar, now)
			}
		}
		// Too low by at most all messages over the places.
		if got := c.top(now); got > often || got < often-(devices+often)/mismatchDevices {
			t.Errorf("%d, want %d or a little less", got, often)
		}
		for _, m := range c.minutes {
			if len(m.counts) > mismatchDevices {
				t.Errorf("%d devices are remembered", len(m.counts))
			}
		}
		// The places of a minute are given to the one ten minutes later.
		later := message("x", "later", "")
		c.count(&later, now.Add(mismatchWindow*time.Minute))
		if got := c.top(now.Add(mismatchWindow * time.Minute)); got != 1 {
			t.Errorf("%d, want 1", got)
		}
	})
}
