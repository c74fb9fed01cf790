package loadtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxSenders = 2 // goroutines that publish, each for devices of its own
	drainTime  = 30 * time.Second
	maxWarm    = time.Second
)

// Step is what was measured at one rate.
type Step struct {
	Rate     int     `json:"rate"`     // wanted, messages a second
	Achieved float64 `json:"achieved"` // acknowledged, messages a second
	Sent     int64   `json:"sent"`
	LeftOut  int64   `json:"leftOut"`   // their device had too many without PUBACK
	P50      float64 `json:"pubackP50"` // ms
	P99      float64 `json:"pubackP99"` // ms
	CPU      float64 `json:"cpu"`       // of the server, µs a message; 0: not known
	Load     float64 `json:"loadCPU"`   // of this process, µs a message; 0: not known
}

// publish has the devices publish at the rate for a time, after a moment that does
// not count, and waits for every PUBACK.
func (l *Load) publish(ctx context.Context, c *crowd, rate int, during time.Duration) (Step, error) {
	s := Step{Rate: rate}
	begin, acked := c.now(), c.acked.Load()
	w := &window{from: begin + int64(min(during/5, maxWarm))}
	w.to = w.from + int64(during)
	c.window.Store(w)

	var sending sync.WaitGroup
	var sent, leftOut atomic.Int64
	senders := min(maxSenders, len(c.clients))
	for i := range senders {
		sending.Go(func() {
			n, out := c.send(ctx, c.share(i, senders), begin, w.to, float64(rate)/float64(senders))
			sent.Add(n)
			leftOut.Add(out)
		})
	}
	before := l.until(ctx, c, w.from)
	after := l.until(ctx, c, w.to)
	sending.Wait()
	s.Sent, s.LeftOut = sent.Load(), leftOut.Load()
	if err := c.drain(ctx, acked+s.Sent); err != nil {
		return s, err
	}
	s.P50, s.P99 = milliseconds(w.latency.quantile(0.50)), milliseconds(w.latency.quantile(0.99))
	messages := float64(after.acked - before.acked)
	s.Achieved = messages / after.at.Sub(before.at).Seconds()
	if messages > 0 {
		s.CPU = microseconds(after.server.cpu-before.server.cpu) / messages
		s.Load = microseconds(after.own.cpu-before.own.cpu) / messages
	}
	return s, nil
}

// moment is how far all was at a time.
type moment struct {
	at          time.Time
	acked       int64
	server, own usage
}

func (l *Load) moment(c *crowd) moment {
	return moment{time.Now(), c.acked.Load(), l.usage(), ownUsage()}
}

// until waits for a time of the crowd, at most until ctx ends.
func (l *Load) until(ctx context.Context, c *crowd, at int64) moment {
	wait(ctx, time.Duration(at-c.now()))
	return l.moment(c)
}

// share is the devices of one of so many senders.
func (c *crowd) share(i, senders int) []*client {
	n := len(c.clients)
	return c.clients[i*n/senders : (i+1)*n/senders]
}

// send publishes what is due of the devices, in turn.
func (c *crowd) send(ctx context.Context, devices []*client, begin, end int64, rate float64) (sent, leftOut int64) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for next := 0; ; {
		now := c.now()
		for due := int64(float64(min(now, end)-begin) / 1e9 * rate); sent+leftOut < due; {
			ok, err := devices[next].publish(c.now())
			switch {
			case err != nil:
				// The connection is broken: its reader says so.
				return sent, leftOut
			case ok:
				sent++
			default:
				leftOut++
			}
			next = (next + 1) % len(devices)
		}
		if now >= end {
			return sent, leftOut
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return sent, leftOut
		}
	}
}

// drain waits until so many messages are acknowledged in all.
func (c *crowd) drain(ctx context.Context, acked int64) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(drainTime)
	for {
		missing := acked - c.acked.Load()
		if err := c.failure(); err != nil || missing <= 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("%d messages have no PUBACK after %v", missing, drainTime)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

func microseconds(d time.Duration) float64 { return float64(d) / 1e3 }
