package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/zap"

	"iotbridge/gateway"
)

// session is a device's connection, from CONNACK to its end. One goroutine reads;
// what it queues is written by the server's writers.
type session struct {
	server *Server
	conn   *tls.Conn
	in     *reader
	own    *voice
	began  time.Time
	quiet  time.Duration      // without a packet, after which it ends
	cancel context.CancelFunc // of what it asks the store
	expiry *time.Timer
	pace   pace   // of what is no telemetry
	folder string // the last subfolder: most devices have one

	mu       sync.Mutex
	room     sync.Cond      // in flight there is less than before, or the session ends
	reason   gateway.Reason // "" while it lives
	acks     pending
	flight   flight
	out      []byte // queued
	writing  bool   // a writer has it, or will
	failed   bool   // to write: what is queued goes nowhere
	closing  bool   // the last is being written
	outgoing outgoing
	attached map[string]*voice // by name, and by number
	errors   string            // the errors topic, if it is subscribed
}

// flight is what of a session Pub/Sub has not confirmed.
type flight struct{ messages, bytes int }

// newSession returns a session, and the context of what it asks: that ends with the
// session, and not when the server stops.
func (s *Server) newSession(ctx context.Context, conn *tls.Conn, in *reader, a *gateway.Admission, epoch int64, keepalive time.Duration) (*session, context.Context) {
	c := &session{server: s, conn: conn, in: in, quiet: maxIdle}
	if keepalive > 0 {
		c.quiet = min(keepalive*3/2, maxIdle)
	}
	c.room.L = &c.mu
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.own = &voice{session: c, admission: a, device: a.Device.Number, number: a.Device.Num(), epoch: epoch}
	c.expiry = time.AfterFunc(time.Until(a.Expires.Add(skew)), func() { c.end(expired) })
	return c, ctx
}

// run reads until the session ends. When the server stops it reads no more, confirms
// what is in flight, and ends.
func (c *session) run(ctx, server context.Context) {
	s := c.server
	s.Metrics.Connections.Inc()
	defer s.Metrics.Connections.Dec()
	c.log(gateway.LogInfo, "connected")
	c.began = time.Now()
	c.chronicle("")
	stop := context.AfterFunc(server, func() { c.end(stopping) })
	c.end(c.read(ctx))
	stop()
	if c.ended() == stopping {
		c.drain(s.Limits.Grace)
	}
	c.close(ctx)
}

// read serves packets and returns why it does not any more.
func (c *session) read(ctx context.Context) gateway.Reason {
	for {
		if !c.listen(c.in.whole()) {
			return c.ended()
		}
		p, err := c.in.next(ctx, maxPublish, c.server.large)
		if err != nil {
			return c.why(err)
		}
		if reason := c.serve(ctx, p); reason != "" {
			return reason
		}
	}
}

// why names what a failure to read means.
func (c *session) why(err error) gateway.Reason {
	var timeout net.Error
	switch {
	case errors.Is(err, errMalformed):
		return malformed
	case errors.Is(err, errTooLarge):
		return tooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		if c.quiet == maxIdle {
			return idle
		}
		return silent
	}
	return lost
}

// serve does what a packet asks for. A reason ends the session.
func (c *session) serve(ctx context.Context, p packet) gateway.Reason {
	if p.Type != packets.Publish && !c.paced(ctx) {
		return c.ended()
	}
	switch p.Type {
	case packets.Publish:
		return c.publish(ctx, p)
	case packets.Puback:
		return c.acknowledged(ctx, p)
	case packets.Subscribe:
		return c.subscribe(ctx, p)
	case packets.Unsubscribe:
		return c.unsubscribe(p)
	case packets.Pingreq:
		if len(p.body) != 0 {
			return malformed
		}
		c.server.Bridge.Note(gateway.Sign{Device: c.own.device, Heartbeat: time.Now()})
		return c.send(packets.Pingresp<<4, 0)
	case packets.Disconnect:
		if len(p.body) != 0 {
			return malformed
		}
		return clientLeft
	}
	return malformed // what only servers send, QoS 2, and what is no packet
}

// listen allows the device its time for the next packet, unless that has come. False:
// the session ends.
func (c *session) listen(come bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason == "" && (come || c.conn.SetReadDeadline(time.Now().Add(c.quiet)) == nil)
}

// end ends the session for a reason, unless it ended before. It does not wait.
func (c *session) end(why gateway.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(why)
}

// endLocked is end under mu; no reason ends nothing.
func (c *session) endLocked(why gateway.Reason) {
	if why == "" || c.reason != "" {
		return
	}
	c.reason = why
	c.cancel()
	c.room.Broadcast()
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // fails when it is closed, and nobody reads
}

// ended is why; "" while the session lives.
func (c *session) ended() gateway.Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// drain waits for what is in flight, so that it is confirmed to the device.
func (c *session) drain(grace time.Duration) {
	over := false
	timer := time.AfterFunc(grace, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		over = true
		c.room.Broadcast()
	})
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.flight.messages > 0 && !over && !c.failed {
		c.room.Wait()
	}
}

// close gives back what the session holds, writes what is queued, and closes the
// connection.
func (c *session) close(ctx context.Context) {
	c.expiry.Stop()
	why := c.ended()
	c.abandon(ctx)
	for _, v := range c.voices() {
		c.server.release(ctx, v)
	}
	c.mu.Lock()
	c.closing = true
	err := c.conn.SetWriteDeadline(time.Now().Add(lastWords))
	for c.writing {
		c.room.Wait()
	}
	rest := c.out
	c.out, c.failed = nil, true // what is queued from now on goes nowhere
	c.mu.Unlock()
	if len(rest) > 0 && err == nil {
		_, _ = c.conn.Write(rest) // what does not arrive is sent again by the device
	}
	hangUp(c.conn)

	level := gateway.LogInfo
	if st := status(why); st != nil {
		level = gateway.LogError
		c.server.Bridge.Note(gateway.Sign{Device: c.own.device, Error: time.Now(), ErrorStatus: st})
	}
	c.server.Metrics.Disconnects.WithLabelValues(string(why)).Inc()
	c.log(level, "disconnected", zap.String("reason", string(why)))
	c.chronicle(why)
}

// chronicle notes that the connection has begun, or why it has ended.
func (c *session) chronicle(why gateway.Reason) {
	if c.server.Chronicle == nil {
		return
	}
	one := gateway.Connection{Device: c.own.device, Began: c.began, Instance: c.server.Instance, Address: address(c.conn.NetConn()), Reason: string(why)}
	if why != "" {
		one.Ended = time.Now()
	}
	c.server.Chronicle.Note(one)
}

// log writes what the device's log level, or else its registry's, lets through.
func (c *session) log(level gateway.LogLevel, text string, fields ...zap.Field) {
	a := c.own.admission
	most := a.Device.LogLevel
	if most == gateway.LogUnset {
		most = a.Registry.LogLevel
	}
	if most != gateway.LogUnset && level > most {
		return
	}
	c.server.Log.Info(text, append(fields, zap.Stringer("device", a.Device.Key), zap.Stringer("from", c.conn.RemoteAddr()))...)
}

// aside runs f on a stack of its own: what f grows is not kept by the session.
func aside(f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	<-done
}
