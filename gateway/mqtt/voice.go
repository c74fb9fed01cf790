package mqtt

import (
	"context"

	"iotbridge/gateway"
)

// voice is a device that a session speaks for: its own, or one attached to it.
type voice struct {
	session   *session
	admission *gateway.Admission // of an attached one under the session's mu
	number    string
	epoch     int64 // of the claim
	config    configs
	commands  subscription
}

// subscription is what a device wants to hear, by the spelling it subscribed with.
type subscription struct {
	topic string // "": nothing; of commands without the wildcard
	qos   byte
}

func (v *voice) device() uint64 { return v.admission.Device.Number }

// is reports whether id is the device's name or number.
func (v *voice) is(id string) bool { return id == v.admission.Device.Key.Device || id == v.number }

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
	if v == nil && c.own.admission.Device.IsGateway {
		return nil, c.complain(notAttached, m)
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

// leave gives back all that the session speaks for.
func (c *session) leave(ctx context.Context) {
	for _, v := range c.voices() {
		c.server.release(ctx, v)
	}
}
