package mqtt

import (
	"context"
	"slices"

	"github.com/mochi-mqtt/server/v2/packets"

	"iotbridge/gateway"
	"iotbridge/schema"
)

const notGranted = 0x80

// subscribe serves a SUBSCRIBE: what the device may not hear is not granted, QoS 2
// is granted as 1. The config follows the SUBACK.
func (c *session) subscribe(ctx context.Context, p packet) gateway.Reason {
	pk := packets.Packet{FixedHeader: p.FixedHeader}
	if pk.SubscribeDecode(p.body) != nil || pk.SubscribeValidate() != packets.CodeSuccess || noFilter(pk.Filters) {
		return malformed
	}
	codes := make([]byte, len(pk.Filters))
	var configs []*voice
	for i, f := range pk.Filters {
		v, kind := c.grant(f)
		switch {
		case v == nil:
			codes[i] = notGranted
		case kind != schema.ErrorsTopic: // they come with QoS 0 always
			codes[i] = min(f.Qos, 1)
		}
		if v != nil && kind == schema.ConfigTopic {
			configs = append(configs, v)
		}
	}
	pk = packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Suback}, PacketID: pk.PacketID, ReasonCodes: codes}
	c.mu.Lock()
	c.endLocked(c.queuePacket(pk.SubackEncode))
	c.mu.Unlock()
	for _, v := range configs {
		c.bring(ctx, v)
	}
	return ""
}

// grant subscribes to what a filter asks for, and returns for whom; nil: it may not.
func (c *session) grant(f packets.Subscription) (*voice, schema.TopicKind) {
	topic, ok := schema.ParseFilter(f.Filter)
	if !ok {
		return nil, ""
	}
	v := c.find(topic.Device)
	if v == nil || topic.Kind == schema.ErrorsTopic && (v != c.own || !v.admission.Device.IsGateway) {
		return nil, ""
	}
	// The parts of a packet are the reader's: the text is made anew.
	to := subscription{topic.String(), min(f.Qos, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch topic.Kind {
	case schema.ConfigTopic:
		c.drop(v)
		v.config = config{subscription: to}
	case schema.CommandsTopic:
		v.commands = to
	case schema.ErrorsTopic:
		c.errors = to.topic
	}
	return v, topic.Kind
}

// unsubscribe serves an UNSUBSCRIBE.
func (c *session) unsubscribe(p packet) gateway.Reason {
	pk := packets.Packet{FixedHeader: p.FixedHeader}
	if pk.UnsubscribeDecode(p.body) != nil || pk.UnsubscribeValidate() != packets.CodeSuccess || noFilter(pk.Filters) {
		return malformed
	}
	for _, f := range pk.Filters {
		c.revoke(f.Filter)
	}
	return c.send(packets.Unsuback<<4, 2, byte(pk.PacketID>>8), byte(pk.PacketID))
}

func (c *session) revoke(filter string) {
	topic, ok := schema.ParseFilter(filter)
	if !ok {
		return
	}
	v := c.find(topic.Device)
	if v == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch text := topic.String(); text {
	case v.config.topic:
		c.drop(v)
		v.config = config{}
	case v.commands.topic:
		v.commands = subscription{}
	case c.errors:
		c.errors = ""
	}
}

// noFilter reports whether a filter is empty, which the codec lets pass (MQTT-4.7.3-1).
func noFilter(filters packets.Subscriptions) bool {
	return slices.ContainsFunc(filters, func(f packets.Subscription) bool { return f.Filter == "" })
}
