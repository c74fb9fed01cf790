package spool

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// The power is cut ahead of every change a workload makes to the disk, and what was
// not synced is dropped, kept or torn.
func TestB5_B6_PowerCutAtEveryChange(t *testing.T) {
	for name, how := range map[string]cut{"dropped": dropUnsynced, "kept": keepUnsynced, "torn": tearUnsynced} {
		for _, sync := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprintf("%s/sync=%v", name, sync), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { cutEverywhere(t, how, sync) })
			})
		}
	}
}

func cutEverywhere(t *testing.T, how cut, sync time.Duration) {
	w := newWorkload(t, Options{MaxBytes: leastBytes, SegmentBytes: leastSegment, Sync: sync}, 7)
	points, twice := 0, 0
	durable := func() uint64 {
		switch {
		case sync == 0 || how == keepUnsynced:
			return math.MaxUint64
		case w.spool == nil:
			return 0
		}
		return w.spool.end
	}
	w.disk.before = func(op, name string) error {
		points++
		after := w.disk.cut(how, uint64(points))
		// Recovery is cut as well, now and then.
		if points%101 == 0 {
			inner := 0
			after.before = func(string, string) error {
				inner++
				twice++
				w.again = true
				w.holds(after.cut(how, uint64(inner)), durable())
				w.again = false
				return nil
			}
		}
		w.holds(after, durable())
		return nil
	}
	w.longest = 150
	w.open()
	for i := range steps {
		w.offline = i > steps/4 && i < steps/2
		if err := w.step(); err != nil {
			t.Fatal(err)
		}
	}
	w.holds(w.disk.cut(how, 0), durable())
	t.Logf("%d cuts, %d of them twice; %d records, %d confirmed, %d dropped", points, twice, w.returned, len(w.settled), w.spool.Depth().Dropped)
	if want := steps; sync == 0 && points < want {
		t.Errorf("only %d cuts", points)
	}
}
