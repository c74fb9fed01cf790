package mqtt

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// attach serves a gateway that wants to speak for a device. If it may not, it is told
// on its errors topic and gets no PUBACK.
func (c *session) attach(ctx context.Context, m message) gateway.Reason {
	c.server.Metrics.message("attach")
	if !c.own.admission.Device.IsGateway {
		return badTopic
	}
	if c.own.is(m.topic.Device) || c.full(m.topic.Device) {
		c.complain(notAttachable(m))
		return ""
	}
	since := c.server.changes.Load()
	v, err := c.claim(ctx, strings.Clone(m.topic.Device), authorization(m.data))
	var refusal *gateway.Refusal
	switch {
	case errors.As(err, &refusal) && !refusal.Fault:
		c.server.Metrics.Refusals.WithLabelValues(string(refusal.Reason)).Inc()
		c.log(gateway.LogError, "not attached", zap.String("attached", m.topic.Device), zap.String("reason", string(refusal.Reason)))
		c.complain(notAttachable(m))
		return ""
	case err != nil:
		return storeFault
	}
	c.remember(v)
	c.server.add(ctx, v, since)
	c.bring(ctx, v)
	c.log(gateway.LogInfo, "attached", zap.String("attached", v.name()))
	return c.acknowledge(m)
}

// claim asks whether the gateway may speak for the device, and claims the device.
func (c *session) claim(ctx context.Context, device string, token []byte) (v *voice, err error) {
	aside(func() {
		var a *gateway.Admission
		if a, err = c.server.Bridge.Attach(ctx, c.own.admission, device, token); err != nil {
			return
		}
		v = &voice{session: c, admission: a, device: a.Device.Number, number: a.Device.Num()}
		v.epoch, err = c.server.claim(ctx, v.device)
	})
	return v, err
}

// full reports whether no device but one that is attached already may be attached.
func (c *session) full(device string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.attached) >= 2*maxAttached && c.attached[device] == nil
}

// remember makes v attached. Attached again, it hears what it heard before.
func (c *session) remember(v *voice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.attached[v.number]; before != nil {
		c.drop(before)
		v.config.subscription, v.commands = before.config.subscription, before.commands
	}
	if c.attached == nil {
		c.attached = map[string]*voice{}
	}
	c.attached[v.name()], c.attached[v.number] = v, v
}

// forget ends v's attachment; false when it has ended, or begun again.
func (c *session) forget(v *voice) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attached[v.number] != v {
		return false
	}
	c.drop(v)
	v.commands = subscription{}
	delete(c.attached, v.name())
	delete(c.attached, v.number)
	return true
}

// detach serves a gateway that does not want to speak for a device any more.
func (c *session) detach(ctx context.Context, m message) gateway.Reason {
	c.server.Metrics.message("detach")
	if !c.own.admission.Device.IsGateway {
		return badTopic
	}
	v := c.find(m.topic.Device)
	if v == nil || v == c.own {
		c.complain(notAttached(m))
		return ""
	}
	if c.forget(v) {
		c.server.release(ctx, v)
		c.log(gateway.LogInfo, "detached", zap.String("attached", v.name()))
	}
	return c.acknowledge(m)
}

// authorization finds the token in an attach payload; nil: there is none. Gateways
// send JSON, nothing at all, and { 'authorization' : TOKEN } as some samples did.
func authorization(payload []byte) []byte {
	_, after, ok := bytes.Cut(payload, []byte("authorization"))
	if !ok {
		return nil
	}
	after = bytes.TrimLeft(after, "\"' \t\r\n:")
	end := bytes.IndexFunc(after, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' && r != '='
	})
	if end >= 0 {
		after = after[:end]
	}
	if len(after) == 0 {
		return nil
	}
	return after
}
