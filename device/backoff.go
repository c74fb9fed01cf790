package device

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstPause  = time.Second
	maxPause    = time.Minute
	maxSlow     = 5 * time.Minute // an operator must act first
	leastPause  = 100 * time.Millisecond
	longSession = time.Minute // a session that lasted so long was a good one
)

// backoff says how long to wait before the next attempt to connect: with full jitter,
// so that a fleet whose gateway was restarted does not come back at once.
type backoff struct{ failures int }

// pause counts a failure and returns the wait after it.
func (b *backoff) pause(err error) time.Duration {
	most, first := maxPause, firstPause
	var refused *Refused
	if errors.As(err, &refused) && refused.Slow() {
		most, first = maxSlow, 10*firstPause
	}
	most = min(first<<min(b.failures, 16), most)
	b.failures++
	return leastPause + rand.N(most-leastPause) //nolint:gosec // jitter need not be secret
}

// good forgets the failures: something was confirmed, or a session lasted.
func (b *backoff) good() { b.failures = 0 }
