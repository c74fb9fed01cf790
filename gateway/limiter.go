package gateway

import (
	"sync"
	"time"
)

// The rates of one device. https://cloud.google.com/iot/quotas
const (
	eventsPerSecond = 100
	bytesPerSecond  = 512 << 10
	statesPerSecond = 1

	burst     = time.Second     // of each rate that may come at once; of states one more
	forgotten = 2 * time.Second // after which every burst is there again
)

// Limiter holds each device to 100 events and 512 KiB of them a second, and to one
// state a second, however it spells its id and over all protocols. It remembers the
// devices that were heard in the last seconds. A nil *Limiter limits nothing.
type Limiter struct {
	mu      sync.Mutex
	start   time.Time
	turned  time.Duration
	devices recent[uint64, due]
}

// due is when a device would be through at exactly its rates: by more than a burst
// ahead of the clock it is too fast (the generic cell rate algorithm). Since start.
type due struct{ events, bytes, states time.Duration }

// NewLimiter returns a limiter for all devices of a gateway.
func NewLimiter() *Limiter { return &Limiter{start: time.Now()} }

// Event books an event of so many bytes and returns 0, or returns how long the
// device is too early with it, and books nothing.
func (l *Limiter) Event(device uint64, bytes int) (wait time.Duration) {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	d, wait := l.event(device, bytes, now)
	if wait == 0 {
		l.devices.put(device, d)
	}
	return wait
}

// delay is what Event would return, with nothing booked.
func (l *Limiter) delay(device uint64, bytes int) time.Duration {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wait := l.event(device, bytes, l.now())
	return wait
}

// State is Event for a state.
func (l *Limiter) State(device uint64) (wait time.Duration) {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	d, _ := l.devices.find(device)
	d.states = max(d.states, now) + time.Second/statesPerSecond
	// Two at once: the second of a device whose timer is a little early.
	wait = max(d.states-now-burst-time.Second/statesPerSecond, 0)
	if wait == 0 {
		l.devices.put(device, d)
	}
	return wait
}

func (l *Limiter) event(device uint64, bytes int, now time.Duration) (due, time.Duration) {
	d, _ := l.devices.find(device)
	d.events = max(d.events, now) + time.Second/eventsPerSecond
	d.bytes = max(d.bytes, now) + time.Duration(bytes)*time.Second/bytesPerSecond
	return d, max(max(d.events, d.bytes)-now-burst, 0)
}

// now also forgets the devices that were not heard for a while.
func (l *Limiter) now() time.Duration {
	now := time.Since(l.start)
	if now-l.turned > forgotten {
		l.turned = now
		l.devices.turn()
	}
	return now
}
