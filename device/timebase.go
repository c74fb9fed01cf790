package device

import (
	"crypto/rand"
	"sync"
	"time"

	"go.uber.org/zap"
)

// stepTolerance is how far the wall clock may part from the time since boot between
// two readings before that is called a jump: more than NTP slews.
const stepTolerance = 2 * time.Second

// timebase stamps readings. While the wall clock can be trusted it remembers how far
// that is from the time since boot, which never jumps.
type timebase struct {
	clock Clock
	boot  string
	log   *zap.Logger

	mu     sync.Mutex
	known  bool
	offset time.Duration // wall minus since boot, when the clock was last plausible
	seen   bool
	last   time.Duration // the same at the last reading, plausible or not
}

func newTimebase(c Clock, log *zap.Logger) *timebase {
	t := &timebase{clock: c, boot: c.Boot(), log: log}
	if !shown(t.boot, maxBoot) {
		t.boot = "run-" + rand.Text() // what this run measured can be told by this run only
	}
	return t
}

// stamp fills in when the reading was taken: now.
func (t *timebase) stamp(r *record) {
	wall, since, plausible := t.read()
	r.wall, r.since, r.boot, r.plausible = wall, since, t.boot, plausible
	offset := time.Duration(wall)*time.Millisecond - since
	t.mu.Lock()
	by := offset - t.last
	r.stepped = t.seen && by.Abs() > stepTolerance
	t.seen, t.last = true, offset
	t.mu.Unlock()
	if r.stepped {
		t.log.Warn("the clock jumped", zap.Duration("by", by))
	}
}

// read asks the clock, and learns from it while it can be trusted.
func (t *timebase) read() (wall int64, since time.Duration, plausible bool) {
	wall, since, plausible = millis(t.clock.Now()), max(t.clock.SinceBoot(), 0).Truncate(time.Millisecond), t.clock.Plausible()
	if plausible {
		t.mu.Lock()
		t.known, t.offset = true, time.Duration(wall)*time.Millisecond-since
		t.mu.Unlock()
	}
	return wall, since, plausible
}

// plausible says whether a token may be made now.
func (t *timebase) plausible() bool {
	_, _, ok := t.read()
	return ok
}

// tell returns the best that is known of when a reading was taken, ms since the
// epoch, and the mark that says so.
func (t *timebase) tell(r *record) (at int64, mark string) {
	if r.plausible {
		if r.stepped {
			return r.wall, markStepped
		}
		return r.wall, ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.boot != t.boot || !t.known {
		return r.wall, markUnsynced
	}
	return min(max((r.since+t.offset).Milliseconds(), minWall), maxWall), markRestamped
}
