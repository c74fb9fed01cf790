package device

import (
	"time"

	"go.uber.org/zap"
)

const (
	gapPause    = 10 * time.Second // from one look for gaps to the next
	gapsAtATime = 4
)

// gapDesk tells upstream what is lost: a few at a time, for a spool that overflows
// makes new ones as fast as readings.
type gapDesk struct {
	spool Spool
	ring  *ring
	log   *zap.Logger

	look     time.Time
	waiting  []Gap
	underWay int
	more     bool // there were more than were taken
	said     bool
}

func newGapDesk(s Spool, r *ring, log *zap.Logger) gapDesk {
	return gapDesk{spool: s, ring: r, log: log}
}

// next returns a gap that is to be published.
func (g *gapDesk) next(now time.Time) (Gap, bool) {
	if g.underWay > 0 && len(g.waiting) == 0 {
		return Gap{}, false
	}
	if len(g.waiting) == 0 && !now.Before(g.look) {
		g.look = now.Add(gapPause)
		all := append(g.spool.Gaps(), g.ring.Gaps()...)
		g.waiting = append(g.waiting, all[:min(len(all), gapsAtATime)]...)
		g.more = len(all) > gapsAtATime
		if len(all) > 0 && !g.said {
			g.said = true
			g.log.Warn("readings were lost before they could be sent: the ranges are reported", zap.Int("ranges", len(all)))
		}
	}
	if len(g.waiting) == 0 {
		return Gap{}, false
	}
	gap := g.waiting[0]
	g.waiting = g.waiting[1:]
	g.underWay++
	return gap, true
}

// confirm is called once the gateway has the gap. If more are waiting the next look
// is soon.
func (g *gapDesk) confirm(gap Gap) {
	g.underWay--
	store := g.spool
	if gap.Stream == g.ring.stream {
		store = g.ring
	}
	if err := store.Reported(gap); err != nil {
		g.log.Error("a gap was reported, and will be again", zap.Error(err))
		return
	}
	if g.more && g.underWay == 0 && len(g.waiting) == 0 {
		g.look = time.Now()
	}
}

func (g *gapDesk) sessionEnded() { g.waiting, g.underWay, g.look = nil, 0, time.Time{} }
