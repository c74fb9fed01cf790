package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/net/dns/dnsmessage"

	"iotbridge/device"
)

// overTCP is uplinkTo with a real socket. Its address names the host, and Dial goes
// to the loopback.
func overTCP(t testing.TB, serve func(p *peer)) *Uplink {
	t.Helper()
	u := uplinkTo(t, nil)
	address := listen(t, serverTLS(ourCert), serve)
	u.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return u
}

func listen(t testing.TB, config *tls.Config, serve func(p *peer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { l.Close(); running.Wait() })
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				if p := accept(t, c, config); p != nil && serve != nil {
					serve(p)
				}
			})
		}
	})
	return l.Addr().String()
}

func TestB25_RefusalsAreToldByTheirCode(t *testing.T) {
	for _, code := range []byte{1, 2, 3, 4, 5, 6, 128, 253, 254, 255} {
		var connects atomic.Int32
		u := uplinkTo(t, func(p *peer) {
			if _, ok := p.want(packets.Connect); ok {
				connects.Add(1)
				p.send(ackConnect(code))
				p.drain()
			}
		})
		s, err := u.Connect(t.Context(), nobody{})
		var refused *device.Refused
		if !errors.As(err, &refused) || refused.Code != code || s != nil {
			t.Errorf("CONNACK %d: %v, %v", code, s, err)
		}
		if n := connects.Load(); n != 1 {
			t.Errorf("CONNACK %d: tried %d times", code, n)
		}
	}
}

// Wherever the gateway stops, it is over after ten seconds, and at once when ctx ends.
func TestB23_AStallEndsAfterTenSeconds(t *testing.T) {
	for _, c := range []struct {
		where string
		stall func(p *peer)
	}{
		{"TLS", nil},
		{"CONNACK", func(p *peer) { p.want(packets.Connect) }},
		{"half a CONNACK", func(p *peer) { p.want(packets.Connect); p.send(ackConnect(0)[:3]) }},
		{"SUBACK", func(p *peer) { p.want(packets.Connect); p.send(ackConnect(0)) }},
	} {
		for _, asked := range []time.Duration{0, 3 * time.Second} {
			t.Run(c.where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					u := uplinkTo(t, func(p *peer) { c.stall(p); p.drain() })
					if c.stall == nil {
						var theirs net.Conn
						u.Dial = func(context.Context, string, string) (net.Conn, error) {
							var ours net.Conn
							ours, theirs = net.Pipe()
							return ours, nil
						}
						defer func() { theirs.Close() }()
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					want := defaultTimeout
					if asked != 0 {
						want = asked
						time.AfterFunc(asked, cancel)
					}
					start := time.Now()
					_, err := u.Connect(ctx, nobody{})
					if d := time.Since(start); err == nil || d != want {
						t.Errorf("%v after %s, want %s", err, d, want)
					}
					if asked != 0 && !errors.Is(err, context.Canceled) {
						t.Errorf("ctx was cancelled: %v", err)
					}
				})
			})
		}
	}
}

func TestASubscriptionThatIsNotGrantedIsNoSession(t *testing.T) {
	for _, answer := range [][]byte{{0x80, 0}, {1, 0x80}, {0x80, 0x80}, {2, 2}} {
		u := uplinkTo(t, func(p *peer) {
			p.want(packets.Connect)
			p.send(ackConnect(0))
			sub, _ := p.want(packets.Subscribe)
			p.send(pack(0x90, number(sub.PacketID), answer))
			p.drain()
		})
		if _, err := u.Connect(t.Context(), nobody{}); err == nil || !strings.Contains(err.Error(), "does not grant") {
			t.Errorf("SUBACK %x: %v", answer, err)
		}
	}
}

func TestD4_ASubackThatAnswersMoreThanWasAsked(t *testing.T) {
	for _, answer := range [][]byte{nil, {0}, make([]byte, 3), make([]byte, 100)} { // more makes paho panic
		u := uplinkTo(t, func(p *peer) {
			p.want(packets.Connect)
			p.send(ackConnect(0))
			sub, _ := p.want(packets.Subscribe)
			p.send(pack(0x90, number(sub.PacketID), answer))
			p.drain()
		})
		if _, err := u.Connect(t.Context(), nobody{}); err == nil || !strings.Contains(err.Error(), "may not come") {
			t.Errorf("SUBACK of %d codes: %v", len(answer), err)
		}
	}
}

// nameServer answers with the loopback, and with one address in IPv6, until told to fail.
func nameServer(t *testing.T) (resolver *net.Resolver, asked *atomic.Int32, down *atomic.Bool) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, down = new(atomic.Int32), new(atomic.Bool)
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			asked.Add(1)
			m.Response, m.Additionals = true, nil
			q := m.Questions[0]
			head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}
			switch {
			case down.Load():
				m.RCode = dnsmessage.RCodeServerFailure
			case q.Name.String() != host+".":
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
			case q.Type == dnsmessage.TypeAAAA:
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: [16]byte{15: 1}}}}
			}
			answer, err := m.Pack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}, asked, down
}

// The name is asked for each time; an address that swallows all, as IPv6 does in a
// house whose router only says that it has it, holds nobody up.
func TestB22_NamesAreResolvedAnewAndBlackHolesPassedBy(t *testing.T) {
	u := overTCP(t, good)
	_, port, err := net.SplitHostPort(listen(t, serverTLS(ourCert), good))
	if err != nil {
		t.Fatal(err)
	}
	resolver, asked, down := nameServer(t)
	var swallowed atomic.Int32
	u.Address = net.JoinHostPort(host, port)
	u.Timeout = time.Minute
	u.Dial = (&net.Dialer{Resolver: resolver, ControlContext: func(ctx context.Context, network, _ string, _ syscall.RawConn) error {
		if network == "tcp6" {
			swallowed.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}).DialContext
	for range 2 {
		before := asked.Load()
		if err := u.Accepted(t.Context()); err != nil {
			t.Fatal(err)
		}
		if asked.Load() == before {
			t.Error("the name was not asked for anew")
		}
	}
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Logf("no IPv6 here, and so no black hole: %v", err)
	} else if l.Close(); swallowed.Load() == 0 {
		t.Error("IPv6 was not tried: nothing is shown")
	}
	down.Store(true)
	if err := u.Accepted(t.Context()); err == nil || !strings.Contains(err.Error(), "its name was not resolved") {
		t.Errorf("the name server is down: %v", err)
	}
	down.Store(false)
	if err := u.Accepted(t.Context()); err != nil {
		t.Errorf("the name server is up again: %v", err)
	}
	u.Address = "nowhere.test:" + port
	if err := u.Accepted(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no such host") {
		t.Errorf("no such host: %v", err)
	}
}

func TestSettingsAreJudgedBeforeAnythingIsDialled(t *testing.T) {
	for _, c := range []struct {
		change func(*Uplink)
		want   string
	}{
		{func(u *Uplink) { u.Address = "gateway" }, "want host:port"},
		{func(u *Uplink) { u.Address = ":8883" }, "want host:port"},
		{func(u *Uplink) { u.Address = "gateway:0" }, "1 to 65535"},
		{func(u *Uplink) { u.Address = "gateway:mqtt" }, "1 to 65535"},
		{func(u *Uplink) { u.Device = "" }, `device ""`},
		{func(u *Uplink) { u.Device = "a/b" }, `device "a/b"`},
		{func(u *Uplink) { u.Device = "+" }, `device "+"`},
		{func(u *Uplink) { u.Registry = "#" }, `registry "#"`},
		{func(u *Uplink) { u.Project = strings.Repeat("p", 256) }, "project"},
		{func(u *Uplink) { u.Region = "é" }, "region"},
		{func(u *Uplink) { u.Key = nil }, "wants a key"},
		{func(u *Uplink) { u.Roots = "" }, "CA certificates"},
		{func(u *Uplink) { u.Now = nil }, "a clock"},
		{func(u *Uplink) { u.Lifetime = 25 * time.Hour }, "token lifetime 25h"},
		{func(u *Uplink) { u.KeepAlive = -time.Second }, "keepalive -1s"},
		{func(u *Uplink) { u.KeepAlive = 65536 * time.Second }, "keepalive 18h"},
	} {
		u := uplinkTo(t, nil)
		u.Dial = func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled")
			return nil, errors.New("no")
		}
		c.change(u)
		if _, err := u.Connect(t.Context(), nobody{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
