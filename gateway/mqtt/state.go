package mqtt

import (
	"context"
	"errors"

	"iotbridge/gateway"
)

// state serves what the device tells of itself, one after the other.
func (c *session) state(ctx context.Context, m message) gateway.Reason {
	c.server.Metrics.message("state")
	v, reason := c.speaker(m)
	if v == nil {
		return reason
	}
	var err error
	aside(func() { err = c.server.Bridge.SetState(ctx, v.admission, m.data) })
	var refusal *gateway.Refusal
	switch {
	case err == nil:
		return c.acknowledge(m)
	case errors.Is(err, gateway.ErrTooLarge):
		return tooLarge
	case !errors.As(err, &refusal) || refusal.Fault:
		return storeFault
	case refusal.Reason == gateway.OverRate:
		return overRate
	}
	return revoked
}

// acknowledge queues the PUBACK of what is done already, after those before it.
func (c *session) acknowledge(m message) gateway.Reason {
	if m.qos == 1 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.puback(c.acks.add(m.id))
	}
	return ""
}
