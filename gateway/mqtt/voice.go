package mqtt

import (
	"context"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// voice is a device that a session speaks for: its own, or one attached to it. What
// it hears is under the session's mu; the rest does not change.
type voice struct {
	session   *session
	admission *gateway.Admission
	device    uint64
	number    string // of the device, as text
	epoch     int64  // of the claim
	config    config
	commands  subscription
}

// subscription is what a device wants to hear, by the spelling it subscribed with.
type subscription struct {
	topic string // "": nothing; of commands without the wildcard
	qos   byte
}

func (v *voice) name() string { return v.admission.Device.Key.Device }

// is reports whether id is the device's name or number.
func (v *voice) is(id string) bool { return id == v.name() || id == v.number }

// find returns who the session speaks for under that name or number.
func (c *session) find(id string) *voice {
	if c.own.is(id) {
		return c.own
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.attached[id]
}

// speaker is find for a message. What nobody may say ends the session; to a gateway
// that listens for errors it is said instead.
func (c *session) speaker(m message) (*voice, gateway.Reason) {
	v := c.find(m.topic.Device)
	if v == nil && c.own.admission.Device.IsGateway && c.complain(notAttached(m)) {
		return nil, ""
	}
	if v == nil {
		return nil, badTopic
	}
	return v, ""
}

// voices are all that the session speaks for.
func (c *session) voices() []*voice {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []*voice{c.own}
	for id, v := range c.attached {
		if id == v.number {
			all = append(all, v)
		}
	}
	return all
}

// silence ends what the session says for v: a device's own session, or its attachment.
func (v *voice) silence(ctx context.Context, why gateway.Reason) {
	c := v.session
	if v == c.own {
		c.end(why)
		return
	}
	if c.forget(v) {
		c.server.release(ctx, v)
		c.complain(deviceError(v.name()))
		c.log(gateway.LogInfo, "detached", zap.String("attached", v.name()), zap.String("reason", string(why)))
	}
}
