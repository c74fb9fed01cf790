package mqtt

import (
	"context"
	"errors"

	"github.com/mochi-mqtt/server/v2/packets"

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
		return c.acknowledge(ctx, m)
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
func (c *session) acknowledge(ctx context.Context, m message) (why gateway.Reason) {
	if m.qos == 0 {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks.done(c.acks.add(m.id), func(id uint16) {
		why = c.queue(packets.Puback<<4, 2, byte(id>>8), byte(id))
	})
	return why
}
