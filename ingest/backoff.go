package ingest

import (
	"math/rand/v2"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 30 * time.Second
)

// pause waits before attempt n (from 0) is repeated: exponential, with full
// jitter. It returns false when done was closed.
func pause(done <-chan struct{}, n int) bool {
	most := min(firstPause<<min(n, 16), maxPause)
	t := time.NewTimer(most/4 + rand.N(most))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}
