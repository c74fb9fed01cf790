package mqtt

import (
	"context"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// config is what a device hears of its config.
type config struct {
	subscription
	sent int64  // the latest version that was sent since it subscribed
	id   uint16 // that version's, while it is not acknowledged
}

// bring fetches the device's config and sends it, unless the device has it. While
// the store does not answer it is asked again.
func (c *session) bring(ctx context.Context, v *voice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != "" || v.config.topic == "" {
		return
	}
	c.server.errand(ctx, func(ctx context.Context) {
		latest, err := c.server.Mailbox.Config(ctx, v.device)
		if err != nil {
			c.server.Log.Warn("no config", zap.Stringer("device", v.admission.Device.Key), zap.Error(err))
			time.AfterFunc(configPause, func() { c.bring(ctx, v) })
			return
		}
		c.offer(ctx, v, latest)
	})
}

// offer sends a config that is newer than what was sent, or that was sent and not
// acknowledged for a while. A newer one takes the place of the one before it.
func (c *session) offer(ctx context.Context, v *voice, latest gateway.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := &v.config
	again := latest.Version == to.sent && to.id != 0 && c.outgoing.sent[to.id].due()
	if c.reason != "" || to.topic == "" || latest.Version <= to.sent && !again {
		return
	}
	if !again {
		c.drop(v)
		to.sent = latest.Version
	}
	if to.qos == 1 {
		d := c.outgoing.sent[to.id]
		if d == nil {
			d = &delivery{voice: v, version: latest.Version}
			to.id = c.outgoing.add(d)
		}
		d.again = time.Now().Add(redeliver)
		d.timer = time.AfterFunc(redeliver, func() { c.bring(ctx, v) })
	}
	c.server.Metrics.message("config")
	c.server.Bridge.Note(gateway.Sign{Device: v.device, ConfigSend: time.Now()})
	c.endLocked(c.tell(to.topic, to.qos, to.id, latest.Data, again))
}

// drop forgets the config that the device has not acknowledged, under mu.
func (c *session) drop(v *voice) {
	if v.config.id != 0 {
		c.outgoing.take(v.config.id)
		v.config.id = 0
	}
}

// configAcked books that the device has a version.
func (s *Server) configAcked(ctx context.Context, v *voice, version int64) {
	at := time.Now()
	s.errand(ctx, func(ctx context.Context) {
		if err := s.Mailbox.ConfigAcked(ctx, v.device, version, at); err != nil {
			s.Log.Warn("a config's acknowledgement is not booked", zap.Stringer("device", v.admission.Device.Key), zap.Error(err))
		}
	})
}
