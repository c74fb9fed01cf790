package registry

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/gateway"
)

// B39: a change is not later than 5 s when its notification is lost.
const _ = uint(5*time.Second - pollEvery)

func TestEarAsksForWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &sharedBus{}
		e := &ear{bus: b, last: 10, missing: map[int64]time.Time{}}
		asked := func(want ...int64) {
			t.Helper()
			got := e.asked()
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("asks for %v, want %v", got, want)
			}
		}
		for _, id := range []int64{11, 14, 12, 14, 16} {
			e.seen(id, time.Now())
		}
		if e.last != 16 {
			t.Errorf("the last is %d, want 16", e.last)
		}
		asked(13, 15)
		<-time.After(undone - time.Second)
		e.seen(18, time.Now())
		asked(13, 15, 17)
		<-time.After(2 * time.Second) // 13 and 15 were undone
		asked(17)
	})
}

func TestEarAfterTrimmedRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &sharedBus{}
		told := make(chan gateway.Change, 1)
		go b.watch(t.Context(), func(c gateway.Change) { told <- c })
		synctest.Wait()
		e := &ear{bus: b, last: 10, missing: map[int64]time.Time{}}
		e.seen(1_000_000, time.Now())
		if c := <-told; c.Kind != gateway.Resync || len(e.missing) != 0 {
			t.Errorf("told %+v, %d missing; want Resync, 0", c, len(e.missing))
		}
	})
}

// A watcher that does not keep up is told to look at everything, and holds up nobody.
func TestSlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watchers
		slow := make(chan gateway.Change)
		go w.watch(t.Context(), func(c gateway.Change) { slow <- c })
		synctest.Wait()
		const sent = 3 * maxQueue
		for i := range sent {
			w.tell(gateway.Change{Kind: gateway.DeviceChanged, Device: uint64(i)})
		}
		changes, resyncs := 0, 0
		for range maxQueue + 2 {
			if c := <-slow; c.Kind == gateway.Resync {
				resyncs++
			} else {
				changes++
			}
		}
		if resyncs != 1 || changes != maxQueue+1 {
			t.Errorf("%d changes and %d Resyncs, want %d and 1", changes, resyncs, maxQueue+1)
		}
	})
}
