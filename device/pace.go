package device

import "time"

// pace is a token bucket for the backlog.
type pace struct {
	rate   float64 // a second
	tokens float64
	at     time.Time
}

// paceBurst is how much may go at once, as time at the rate.
const paceBurst = 100 * time.Millisecond

func newPace(rate int) pace { return pace{rate: float64(rate), at: time.Now()} }

// ready says whether one may go now, and else when to ask again.
func (p *pace) ready(now time.Time) (wait time.Duration, ok bool) {
	p.tokens = min(p.tokens+p.rate*now.Sub(p.at).Seconds(), max(1, p.rate*paceBurst.Seconds()))
	p.at = now
	if p.tokens >= 1 {
		return 0, true
	}
	short := time.Duration((1 - p.tokens) / p.rate * float64(time.Second))
	return max(short, paceBurst/5), false
}

func (p *pace) take() { p.tokens-- }
