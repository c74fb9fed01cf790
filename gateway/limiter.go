package gateway

import (
	"cmp"
	"sync"
	"time"
)

// Rates are what one device may send in a second, and as much at once. Zero values
// are IoT Core's. https://cloud.google.com/iot/quotas
type Rates struct {
	Messages int // of telemetry, 100
	Bytes    int // their payloads, 512 KiB
}

const (
	statesPerSecond = 1
	burst           = time.Second // of each rate that may come at once; of states one more
)

// Limiter holds each device to its rates, and to one state a second, however it spells
// its id and over all protocols. It remembers the devices that were heard lately. A nil
// *Limiter limits nothing.
type Limiter struct {
	message   time.Duration // from one to the next
	bytes     int           // in a second
	forgotten time.Duration // after which every burst is there again

	mu      sync.Mutex
	start   time.Time
	turned  time.Duration
	devices recent[uint64, due]
}

// due is when a device would be through at exactly its rates: by more than a burst
// ahead of the clock it is too fast (the generic cell rate algorithm). Since start.
type due struct{ events, bytes, states time.Duration }

// NewLimiter returns a limiter for all devices of a gateway, with IoT Core's rates.
func NewLimiter() *Limiter { return Rates{}.Limiter() }

// Limiter returns one for all devices of a gateway.
func (r Rates) Limiter() *Limiter {
	r.Messages, r.Bytes = cmp.Or(r.Messages, 100), cmp.Or(r.Bytes, 512<<10)
	return &Limiter{
		message: time.Second / time.Duration(r.Messages), bytes: r.Bytes,
		forgotten: 2 * max(burst, MaxTelemetry*time.Second/time.Duration(r.Bytes)), start: time.Now(),
	}
}

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
	d.events = max(d.events, now) + l.message
	cost := time.Duration(bytes) * time.Second / time.Duration(l.bytes)
	paid := max(d.bytes, now)
	d.bytes = paid + cost
	// One that is larger than a burst passes when nothing is owed, and is owed then.
	return d, max(d.events-now-burst, paid+min(cost, burst)-now-burst, 0)
}

// now also forgets the devices that were not heard for a while.
func (l *Limiter) now() time.Duration {
	now := time.Since(l.start)
	if now-l.turned > l.forgotten {
		l.turned = now
		l.devices.turn()
	}
	return now
}
