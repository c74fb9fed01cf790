package agentd

import (
	"os"
	"strings"
	"time"

	"iotbridge/internal/buildinfo"
)

// hostClock is the machine's. A Raspberry Pi has no battery: until the network told
// it the time, its wall clock stands where it was switched off, or at 1970.
type hostClock struct {
	boot  string
	built time.Time
	start time.Time // where the machine's time since boot is not to be had
}

// floor is before every build of this program.
var floor = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// newClock reads which boot this is.
func newClock() *hostClock {
	c := &hostClock{built: floor, start: time.Now()}
	if at := buildinfo.Current().Time; at.After(floor) {
		c.built = at
	}
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		c.boot = strings.TrimSpace(string(id))
	}
	return c
}

func (c *hostClock) Now() time.Time { return time.Now() }

func (c *hostClock) Boot() string { return c.boot }

func (c *hostClock) SinceBoot() time.Duration {
	if d, ok := sinceBoot(); ok {
		return d
	}
	return time.Since(c.start)
}

// Plausible: a clock that runs ahead of the build may still be wrong by as long as
// the machine was off, which only a synchronised one rules out; that much the gateway
// says itself, by refusing the token.
func (c *hostClock) Plausible() bool { return plausible(c.Now(), c.built, synchronised()) }

func plausible(now, built time.Time, synchronised bool) bool {
	return synchronised || !now.Before(built)
}
