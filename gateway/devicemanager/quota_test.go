package devicemanager

import (
	"testing"
	"time"
)

func TestDenialsAreWrittenAtABoundedRate(t *testing.T) {
	var d denials
	now := time.Now()
	take := func(actor string, calls int) (written, missed int) {
		for range calls {
			n, ok := d.take(actor, now)
			if missed += n; ok {
				written++
			}
		}
		return written, missed
	}
	for _, c := range []struct {
		pass             time.Duration
		actor            string
		calls            int
		written, missing int
	}{
		{0, "ada", 100, 10, 0},
		{0, nobody, 5, 5, 0}, // what one is denied takes nothing from another
		{0, nobody, 100, 5, 0},
		{59 * time.Second, "ada", 1, 0, 0},
		{time.Second, "ada", 3, 1, 91},
		{time.Hour, "ada", 100, 10, 2},
		{0, "vera", 1, 1, 0},
	} {
		now = now.Add(c.pass)
		if written, missed := take(c.actor, c.calls); written != c.written || missed != c.missing {
			t.Errorf("%s, %d calls: %d written, %d told to be missing, want %+v", c.actor, c.calls, written, missed, c)
		}
	}
}
