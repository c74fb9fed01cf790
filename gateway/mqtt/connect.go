package mqtt

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/zap"

	"iotbridge/gateway"
)

// What a CONNACK says (MQTT 3.1.1, table 3.1).
const (
	accepted      = 0
	badLevel      = 1
	badClientID   = 2
	unavailable   = 3
	notAuthorized = 5
)

var errLevel = errors.New("not MQTT 3.1.1")

// serve is one connection, from TLS to its end. The handshake's stack ends before
// the session begins: it has grown far beyond what a session needs.
func (s *Server) serve(ctx context.Context, c net.Conn) {
	from := neighbourhood(address(c))
	if !s.doorstep.enter(from, &s.Limits) {
		s.Metrics.connect("crowded")
		c.Close()
		return
	}
	defer s.doorstep.leave(from)
	let := make(chan func(context.Context), 1)
	go func() { let <- s.letIn(ctx, c) }()
	if session := <-let; session != nil {
		session(ctx)
	}
}

// letIn takes TLS and CONNECT, within connectTime, and returns what runs the session
// of a device that was accepted. Any other connection it closes.
func (s *Server) letIn(server context.Context, c net.Conn) (run func(server context.Context)) {
	deadline := time.Now().Add(connectTime)
	if err := c.SetDeadline(deadline); err != nil {
		c.Close()
		return nil
	}
	defer context.AfterFunc(server, func() { c.Close() })()
	defer func() {
		if run == nil {
			c.Close()
		}
	}()
	conn := tls.Server(c, s.tls)
	if err := conn.HandshakeContext(context.WithoutCancel(server)); err != nil { // the deadline ends it, too
		s.Metrics.connect("tls")
		return nil
	}
	ctx, cancel := context.WithDeadline(server, deadline)
	defer cancel()
	in := newReader(conn)
	p, err := in.next(ctx, maxConnect, nil)
	var show *packets.ConnectParams
	if err == nil {
		show, err = parseConnect(p)
	}
	switch {
	case errors.Is(err, errLevel):
		s.answer(conn, badLevel, "level")
		return nil
	case err != nil:
		s.Metrics.connect("malformed")
		return nil
	}
	key, ok := gateway.ParseDeviceKey(strings.Clone(show.ClientIdentifier)) // the codec's strings are the reader's bytes
	if !ok {
		s.answer(conn, badClientID, "client_id")
		return nil
	}
	since := s.changes.Load()
	admission, err := s.admit(ctx, key, address(c), show.Password)
	if err != nil {
		s.refuse(conn, key, err)
		return nil
	}
	epoch, err := s.claim(ctx, admission.Device.Number)
	if err != nil {
		s.Log.Error("cannot claim a device", zap.Stringer("device", admission.Device.Key), zap.Error(err))
		s.refuse(conn, key, &gateway.Refusal{Reason: gateway.StoreFault, Fault: true})
		return nil
	}
	session, ctx := s.newSession(server, conn, in, admission, epoch, time.Duration(show.Keepalive)*time.Second)
	// The one before is ended first: its device hears nothing more from it.
	s.add(ctx, session.own, since)
	s.answer(conn, accepted, "accepted")
	return func(server context.Context) { session.run(ctx, server) }
}

// parseConnect takes a CONNECT apart. It refuses what IoT Core refused: a will, and
// a password without a user name.
func parseConnect(p packet) (*packets.ConnectParams, error) {
	const words = len("\x00\x04MQTT\x04")
	if len(p.body) < words {
		return nil, errMalformed
	}
	// The level is looked at first: what follows it differs.
	name := int(binary.BigEndian.Uint16(p.body))
	switch {
	case name == 4 && string(p.body[2:6]) == "MQTT":
		if p.body[6] != 4 {
			return nil, errLevel
		}
	case name == 6 && len(p.body) > 8 && string(p.body[2:8]) == "MQIsdp":
		return nil, errLevel
	default:
		return nil, errMalformed
	}
	pk := packets.Packet{FixedHeader: p.FixedHeader}
	if pk.ConnectDecode(p.body) != nil {
		return nil, errMalformed
	}
	c := &pk.Connect
	size := words + 1 + 2 + 2 + len(c.ClientIdentifier)
	if c.UsernameFlag {
		size += 2 + len(c.Username)
	}
	if c.PasswordFlag {
		size += 2 + len(c.Password)
	}
	will := c.WillFlag || c.WillRetain || c.WillQos != 0
	if pk.ReservedBit != 0 || will || c.PasswordFlag && !c.UsernameFlag || size != len(p.body) {
		return nil, errMalformed
	}
	return c, nil
}

func (s *Server) admit(ctx context.Context, key gateway.DeviceKey, from netip.Addr, token []byte) (*gateway.Admission, error) {
	return s.Bridge.Admit(ctx, gateway.Attempt{Key: key, Token: token, Remote: from, Protocol: gateway.MQTT})
}

// refuse answers a device that is not admitted: alike, unless the fault is ours.
func (s *Server) refuse(conn *tls.Conn, key gateway.DeviceKey, err error) {
	refusal := &gateway.Refusal{Reason: gateway.StoreFault, Fault: true}
	errors.As(err, &refusal)
	s.Metrics.Refusals.WithLabelValues(string(refusal.Reason)).Inc()
	s.Log.Warn("refused", zap.Stringer("device", key), zap.Stringer("from", conn.RemoteAddr()), zap.String("reason", string(refusal.Reason)))
	if refusal.Fault {
		s.answer(conn, unavailable, "fault")
		return
	}
	s.answer(conn, notAuthorized, "refused")
}

// answer writes a CONNACK. No session is ever present. One that says no ends the
// connection; whether a CONNACK arrives is seen by what comes next.
func (s *Server) answer(conn *tls.Conn, code byte, result string) {
	s.Metrics.connect(result)
	_, err := conn.Write([]byte{packets.Connack << 4, 2, 0, code})
	if err != nil || code != accepted {
		hangUp(conn)
	}
}

// hangUp closes a connection. A close_notify that the peer does not take is not
// waited for.
func hangUp(conn *tls.Conn) {
	cut := time.AfterFunc(lastWords, func() { conn.NetConn().Close() })
	defer cut.Stop()
	conn.Close()
}
