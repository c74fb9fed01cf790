package loadtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// spareFiles are open files beside the connections.
const spareFiles = 64

// besides is how long live devices are measured at most while silent sockets are
// there: a server closes those after 10 s.
const besides = 8 * time.Second

// Load is what one server has to bear.
type Load struct {
	Address     string
	Owned       bool // the server may be on another machine
	TLS         *tls.Config
	Devices     []Device
	Rates       []int         // messages a second of all together, one after the other
	For         time.Duration // each
	HalfOpen    int           // sockets that never speak
	ConnectRate int           // devices a second; 0: as fast as it goes
	PID         int           // of the server, if it is here
	Tell        func(string)  // what is done now; nil: nobody
}

// Result is how a server bore it.
type Result struct {
	Server     string    `json:"server"`
	Devices    int       `json:"devices"`
	Connects   float64   `json:"connects"`           // a second
	ConnectCPU float64   `json:"connectCPU"`         // of the server, µs a connect; 0: not known
	ConnectOwn float64   `json:"connectLoadCPU"`     // of this process, likewise
	Memory     float64   `json:"connectionMemory"`   // of the server after publishing, KiB a connection; 0: not known
	Steps      []Step    `json:"steps"`              // a rate each
	HalfOpen   *HalfOpen `json:"halfOpen,omitempty"` // nil: not measured
}

// HalfOpen is how live devices fared beside sockets that never speak.
type HalfOpen struct {
	Sockets int     `json:"sockets"`
	Without Step    `json:"without"` // just before
	Beside  Step    `json:"beside"`
	Gone    float64 `json:"gone"` // s until the last was closed
	Left    int     `json:"left"` // that were never closed
}

// Run connects, publishes at each rate, opens the silent sockets, and leaves. A
// device that was turned away, a message without PUBACK, and a connection that the
// server ended are errors; the result is then what was measured before, or nil.
func (l *Load) Run(ctx context.Context, server string) (_ *Result, err error) {
	if len(l.Devices) == 0 {
		return nil, errors.New("a load needs devices")
	}
	if err := NeedFiles(len(l.Devices) + l.HalfOpen + spareFiles); err != nil {
		return nil, err
	}
	if !l.Owned {
		if err := onThisMachine(ctx, l.Address); err != nil {
			return nil, err
		}
	}
	r := &Result{Server: server, Devices: len(l.Devices)}
	l.tell("%s: %d devices connect", server, r.Devices)
	idle, own, begin := l.usage(), ownUsage(), time.Now()
	c, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	r.Connects = float64(r.Devices) / time.Since(begin).Seconds()
	r.ConnectCPU = microseconds(l.usage().cpu-idle.cpu) / float64(r.Devices)
	r.ConnectOwn = microseconds(ownUsage().cpu-own.cpu) / float64(r.Devices)

	for _, rate := range l.Rates {
		l.tell("%s: %d messages a second for %v", server, rate, l.For)
		s, err := l.publish(ctx, c, rate, l.For)
		if err != nil {
			return r, fmt.Errorf("%s at %d messages a second: %w", server, rate, err)
		}
		r.Steps = append(r.Steps, s)
		r.Memory = float64(l.usage().rss-idle.rss) / 1024 / float64(r.Devices)
	}
	if l.HalfOpen > 0 {
		l.tell("%s: %d messages a second, without and beside %d sockets that never speak", server, l.Rates[0], l.HalfOpen)
		r.HalfOpen, err = l.halfOpen(ctx, c)
	}
	return r, err
}

// halfOpen measures live devices without and beside silent sockets.
func (l *Load) halfOpen(ctx context.Context, c *crowd) (_ *HalfOpen, err error) {
	h := &HalfOpen{Sockets: l.HalfOpen}
	during := min(l.For, besides)
	if h.Without, err = l.publish(ctx, c, l.Rates[0], during); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := openSilent(ctx, l.Address, h.Sockets)
	if err == nil {
		h.Beside, err = l.publish(ctx, c, l.Rates[0], during)
	}
	if err != nil {
		cancel()
		s.gone()
		return nil, err
	}
	longest, left := s.gone()
	h.Gone, h.Left = longest.Seconds(), left
	return h, ctx.Err()
}

func (l *Load) tell(format string, args ...any) {
	if l.Tell != nil {
		l.Tell(fmt.Sprintf(format, args...))
	}
}
