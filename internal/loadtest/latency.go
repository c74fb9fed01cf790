package loadtest

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

const steps = 32 // buckets an octave: a duration is known to 3 %

// latency counts durations. It is safe for concurrent use.
type latency [60 * steps]atomic.Int64

func (l *latency) add(d time.Duration) { l[bucket(max(d, 0))].Add(1) }

func bucket(d time.Duration) int {
	if d < 2*steps {
		return int(d)
	}
	shift := bits.Len64(uint64(d)) - bits.Len(steps)
	return shift*steps + int(d>>shift)
}

// most is the longest duration of a bucket.
func most(bucket int) time.Duration {
	if bucket < 2*steps {
		return time.Duration(bucket)
	}
	shift := bucket/steps - 1
	return time.Duration(bucket%steps+steps+1)<<shift - 1
}

// quantile returns a duration that the share q of all does not exceed; 0 of none.
func (l *latency) quantile(q float64) time.Duration {
	total := int64(0)
	for i := range l {
		total += l[i].Load()
	}
	rank := int64(math.Ceil(q * float64(total)))
	for i := range l {
		if rank -= l[i].Load(); rank <= 0 && total > 0 {
			return most(i)
		}
	}
	return 0
}
