package mqtt

import (
	"context"
	"time"
)

// pace holds a session to so many packets a second, as many at once. It is when a
// packet would be due at exactly that rate (the generic cell rate algorithm).
type pace struct{ due time.Time }

// next books a packet and returns how long it must wait.
func (p *pace) next(now time.Time, rate int) time.Duration {
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(time.Second / time.Duration(rate))
	return max(p.due.Sub(now)-time.Second, 0)
}

// paced waits for the session's rate. False: the session ends.
func (c *session) paced(ctx context.Context) bool {
	return sleep(ctx, c.pace.next(time.Now(), c.server.Limits.Rate))
}

// sleep returns false when ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
