package mqtt

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// What a command may be answered, besides gateway.ErrNotConnected.
var (
	errUnacknowledged = errors.New("the device did not acknowledge the command in time")
	errManyCommands   = errors.New("too many commands wait for the device's acknowledgement")
)

// command hands a command to its device. With QoS 1 it is answered when the device
// has acknowledged it, with QoS 0 at once.
func (s *Server) command(ctx context.Context, cmd *gateway.Command) {
	if v := s.sessions.find(cmd.Device); v != nil {
		if now, err := v.session.command(ctx, v, cmd); now {
			s.answered(ctx, cmd.ID, err)
		}
		return
	}
	s.answered(ctx, cmd.ID, gateway.ErrNotConnected)
}

// command queues a command for v, and says whether its answer is known already.
func (c *session) command(ctx context.Context, v *voice, cmd *gateway.Command) (now bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != "" || v.commands.topic == "" {
		return true, gateway.ErrNotConnected
	}
	topic := v.commands.topic
	if cmd.SubFolder != "" {
		topic += "/" + cmd.SubFolder
	}
	if len(c.outgoing.sent) >= maxDeliveries {
		return true, errManyCommands
	}
	var id uint16
	if v.commands.qos == 1 {
		d := &delivery{voice: v, command: cmd.ID}
		id = c.outgoing.add(d)
		d.timer = time.AfterFunc(commandTime, func() { c.forsake(ctx, id, d) })
	}
	c.server.Metrics.message("commands")
	c.endLocked(c.tell(topic, v.commands.qos, id, cmd.Data, false))
	return id == 0, nil
}

// forsake gives up a command that was not acknowledged.
func (c *session) forsake(ctx context.Context, id uint16, d *delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == "" && c.outgoing.sent[id] == d {
		c.outgoing.take(id)
		c.server.answered(ctx, d.command, errUnacknowledged)
	}
}

// answered tells who sent a command what came of it.
func (s *Server) answered(ctx context.Context, command string, what error) {
	s.errand(ctx, func(ctx context.Context) {
		if err := s.Bus.Answer(ctx, command, what); err != nil {
			s.Log.Warn("a command's answer is lost", zap.Error(err))
		}
	})
}
