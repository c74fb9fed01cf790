package mqtt

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"iotbridge/gateway"
	"iotbridge/schema"
)

// publish serves a PUBLISH. A retain flag is ignored: nothing is ever retained.
func (c *session) publish(ctx context.Context, p packet) gateway.Reason {
	var pk packets.Packet
	pk.FixedHeader = p.FixedHeader
	if p.Qos > 1 || pk.PublishDecode(p.body) != nil || p.Qos == 1 && pk.PacketID == 0 {
		return malformed
	}
	topic, ok := schema.ParseTopic(pk.TopicName)
	if !ok {
		return badTopic
	}
	if topic.Kind != schema.EventsTopic && !c.paced(ctx) {
		return c.ended()
	}
	m := message{topic: topic, name: pk.TopicName, qos: p.Qos, id: pk.PacketID, data: pk.Payload}
	switch topic.Kind {
	case schema.EventsTopic:
		return c.telemetry(ctx, m)
	case schema.StateTopic:
		return c.state(ctx, m)
	case schema.AttachTopic:
		return c.attach(ctx, m)
	case schema.DetachTopic:
		return c.detach(ctx, m)
	}
	return badTopic
}

// message is a PUBLISH of the device. Its strings and data are the reader's.
type message struct {
	topic schema.Topic
	name  string // the topic's text
	qos   byte
	id    uint16
	data  []byte
}

// telemetry hands an event to Pub/Sub. It waits for room, and for the device's rate,
// and so the device waits: nothing more is read from it meanwhile.
func (c *session) telemetry(ctx context.Context, m message) gateway.Reason {
	c.server.Metrics.events.Inc()
	v, reason := c.speaker(m)
	if v == nil {
		c.paced(ctx)
		return reason
	}
	size := len(m.data)
	if size > gateway.MaxTelemetry {
		return tooLarge
	}
	for {
		wait := c.server.Bridge.Delay(v.admission, size)
		if wait <= 0 {
			break
		}
		if !sleep(ctx, wait) {
			return c.ended()
		}
	}
	place, ok := c.board(ctx, m, size)
	if !ok {
		return c.ended()
	}
	if c.folder != m.topic.SubFolder {
		c.folder = strings.Clone(m.topic.SubFolder)
	}
	begin := time.Now()
	qos := m.qos
	c.server.Bridge.Telemetry(v.admission, c.folder, m.data, func(err error) {
		c.settled(qos, place, size, begin, err)
	})
	return ""
}

// board waits until there is room for one more message in flight and books it; place
// is its PUBACK's. False: the session ends.
func (c *session) board(ctx context.Context, m message, size int) (place uint64, ok bool) {
	s, l := c.server, &c.server.Limits
	c.mu.Lock()
	for c.reason == "" && (c.flight.messages >= l.Inflight || c.flight.messages > 0 && c.flight.bytes+size > l.InflightBytes) {
		c.room.Wait()
	}
	ended := c.reason != ""
	c.mu.Unlock()
	if ended || s.messages.Acquire(ctx, 1) != nil {
		return 0, false
	}
	if s.bytes.Acquire(ctx, int64(size)) != nil {
		s.messages.Release(1)
		return 0, false
	}
	s.Metrics.Inflight.Inc()
	s.Metrics.InflightBytes.Add(float64(size))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight.messages++
	c.flight.bytes += size
	if m.qos == 1 {
		place = c.acks.add(m.id)
	}
	return place, true
}

// settled is what Pub/Sub said. Only what it has taken is acknowledged; else the
// session ends and the device sends it again. QoS 0 may be lost.
func (c *session) settled(qos byte, place uint64, size int, begin time.Time, err error) {
	s := c.server
	s.messages.Release(1)
	s.bytes.Release(int64(size))
	s.Metrics.Inflight.Dec()
	s.Metrics.InflightBytes.Sub(float64(size))
	if err == nil && qos == 1 {
		s.Metrics.PubackSeconds.Observe(time.Since(begin).Seconds())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight.messages--
	c.flight.bytes -= size
	c.room.Broadcast()
	if err == nil && qos == 1 {
		c.puback(place)
	}
	c.endLocked(unsettled(qos, err))
}

// puback acknowledges what has its turn now that place is done, under mu.
func (c *session) puback(place uint64) {
	c.acks.done(place, func(id uint16) {
		c.endLocked(c.queue(packets.Puback<<4, 2, byte(id>>8), byte(id)))
	})
}

// unsettled is why a message that was not taken ends the session.
func unsettled(qos byte, err error) gateway.Reason {
	var refusal *gateway.Refusal
	switch {
	case err == nil:
		return ""
	case errors.Is(err, gateway.ErrNoTopic):
		return noRoute
	case errors.Is(err, gateway.ErrTooLarge):
		return tooLarge
	case errors.Is(err, gateway.ErrSubFolder):
		return badTopic
	case qos == 0:
		return ""
	case errors.As(err, &refusal) && refusal.Reason == gateway.OverRate:
		return overRate
	}
	return unpublished
}
