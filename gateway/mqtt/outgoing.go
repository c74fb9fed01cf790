package mqtt

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"iotbridge/gateway"
)

// outgoing are the QoS 1 messages that the device has not acknowledged, by packet
// ids of our own: the ids of what it publishes are another space.
type outgoing struct {
	last uint16
	sent map[uint16]*delivery
}

// delivery is one of them: a config, or a command.
type delivery struct {
	voice   *voice
	version int64     // of the config
	command string    // "": a config
	again   time.Time // a config is due again
	timer   *time.Timer
}

func (d *delivery) due() bool { return d != nil && !time.Now().Before(d.again) }

// add gives a delivery an id that no other has. There are far fewer than ids.
func (o *outgoing) add(d *delivery) (id uint16) {
	for {
		if o.last++; o.last != 0 && o.sent[o.last] == nil {
			break
		}
	}
	if o.sent == nil {
		o.sent = map[uint16]*delivery{}
	}
	o.sent[o.last] = d
	return o.last
}

// take ends a delivery; nil when there is none with that id.
func (o *outgoing) take(id uint16) *delivery {
	d := o.sent[id]
	if d != nil {
		d.timer.Stop()
		delete(o.sent, id)
	}
	return d
}

// acknowledged serves a PUBACK. One that nothing waits for is ignored.
func (c *session) acknowledged(ctx context.Context, p packet) gateway.Reason {
	var pk packets.Packet
	if len(p.body) != 2 || pk.PubackDecode(p.body) != nil || pk.PacketID == 0 {
		return malformed
	}
	c.mu.Lock()
	d := c.outgoing.take(pk.PacketID)
	if d != nil && d.command == "" {
		d.voice.config.id = 0
	}
	c.mu.Unlock()
	switch {
	case d == nil:
	case d.command != "":
		c.server.answered(ctx, d.command, nil)
	default:
		c.server.configAcked(ctx, d.voice, d.version)
	}
	return ""
}

// abandon ends all deliveries: the session has ended.
func (c *session) abandon(ctx context.Context) {
	c.mu.Lock()
	sent := c.outgoing.sent
	c.outgoing.sent = nil
	c.mu.Unlock()
	for _, d := range sent {
		d.timer.Stop()
		if d.command != "" {
			c.server.answered(ctx, d.command, gateway.ErrNotConnected)
		}
	}
}

var encoders = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// tell queues a PUBLISH, under mu. id is 0 with QoS 0.
func (c *session) tell(topic string, qos byte, id uint16, data []byte, again bool) gateway.Reason {
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Dup: again},
		TopicName:   topic, PacketID: id, Payload: data,
	}
	return c.queuePacket(pk.PublishEncode)
}

// queuePacket queues what encode writes, under mu.
func (c *session) queuePacket(encode func(*bytes.Buffer) error) gateway.Reason {
	b := encoders.Get().(*bytes.Buffer)
	b.Reset()
	defer func() {
		if b.Cap() <= keptBuffer {
			encoders.Put(b)
		}
	}()
	if err := encode(b); err != nil {
		return malformed // never: ids are ours
	}
	return c.queue(b.Bytes()...)
}
