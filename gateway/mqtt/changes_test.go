package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/gateway"
)

func (s *site) change(f func()) {
	s.house.mu.Lock()
	defer s.house.mu.Unlock()
	f()
}

// alive says that the session still answers.
func (c *client) alive() {
	c.t.Helper()
	c.send([]byte{0xc0, 0})
	c.expect("\xd0\x00")
}

// ends returns how long it takes until the server has closed.
func (c *client) ends() time.Duration {
	begin := time.Now()
	c.conn.SetReadDeadline(begin.Add(time.Hour))
	for {
		if _, err := c.in.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Error("still open after an hour")
			return time.Hour
		} else if err != nil {
			return time.Since(begin)
		}
	}
}

func TestB34_RevokedWhileConnected(t *testing.T) {
	device := gateway.Change{Kind: gateway.DeviceChanged, Device: number1}
	for name, test := range map[string]struct {
		change func(h *house)
		tell   gateway.Change
		other  bool // device2 goes too
	}{
		"blocked":         {func(h *house) { h.devices["device1"].Blocked = true }, device, false},
		"deleted":         {func(h *house) { delete(h.devices, "device1") }, device, false},
		"a lost change":   {func(h *house) { h.devices["device1"].Blocked = true }, gateway.Change{Kind: gateway.Resync}, false},
		"MQTT turned off": {func(h *house) { h.registry.MQTT = false }, gateway.Change{Kind: gateway.RegistryChanged, Registry: registryKey}, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(s *site) {
				c, other := s.connect("device1"), s.connect("device2")
				s.tell(test.tell) // nothing is wrong yet
				synctest.Wait()
				c.alive()
				s.change(func() { test.change(s.house) })
				s.tell(test.tell)
				if took := c.ends(); took > 2*time.Second {
					t.Errorf("closed after %v", took)
				}
				if !test.other {
					other.alive()
				} else if took := other.ends(); took > 2*time.Second {
					t.Errorf("the other was closed after %v", took)
				}
				synctest.Wait()
				if testutil.ToFloat64(s.Metrics.Disconnects.WithLabelValues(string(revoked))) < 1 {
					t.Error("not counted as revoked")
				}
			})
		})
	}
}

// Nothing says that a device was blocked while the store is down; but a change that
// cannot be looked at closes it.
func TestB33_ChangeWhileTheStoreIsDown(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c, other := s.connect("device1"), s.connect("device2")
		s.change(func() { s.down = true })
		s.tell(gateway.Change{Kind: gateway.DeviceChanged, Device: number1})
		if took := c.ends(); took < time.Second || took > 3*time.Second {
			t.Errorf("closed after %v", took)
		}
		s.tell(gateway.Change{Kind: gateway.Resync})
		<-time.After(30 * time.Second)
		other.alive()
		s.change(func() { s.down = false })
		<-time.After(time.Minute)
		other.alive()
	})
}

func TestRevokedDeviceIsDetached(t *testing.T) {
	bubble(t, func(s *site) { s.house.bound["gateway1/device1"] = true }, func(s *site) {
		g := s.connect("gateway1")
		g.send(subscribe(1, "/devices/gateway1/errors", 0))
		g.expect("\x90\x03\x00\x01\x00")
		g.send(publish("/devices/device1/attach", 1, ""))
		g.expect(puback(1))
		s.change(func() { delete(s.house.bound, "gateway1/device1") })
		s.tell(gateway.Change{Kind: gateway.DeviceChanged, Device: 2_000_000_000_000_001})
		g.expect(sent(0x30, "/devices/gateway1/errors", 0, errorText("GATEWAY_DETACHMENT_DEVICE_ERROR", "Device detached because of a device error.", "device1", "")))
		g.send(publish("/devices/device1/events", 2, "x"))
		g.expect(sent(0x30, "/devices/gateway1/errors", 0, errorText("GATEWAY_DEVICE_NOT_FOUND", "The specified device with ID 'device1' is not attached to the gateway.", "device1", about("/devices/device1/events", 2))))
		s.wantEvents()
	})
}

// A device has one session, wherever it connects.
func TestB38_TwoGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := openOn(t, newPipes(), h, nil)
		b := openOn(t, newPipes(), h, func(s *Server) { s.Instance = "gateway-b" })
		synctest.Wait()
		for range 5 { // it flaps
			first := a.connect("device1")
			second := b.connect("device1")
			if took := first.ends(); took > 2*time.Second {
				t.Errorf("closed after %v", took)
			}
			second.alive()
			third := a.connect("device1")
			if took := second.ends(); took > 2*time.Second {
				t.Errorf("closed after %v", took)
			}
			third.alive()
		}
		// A claim whose notice was lost is seen at the next resync.
		c := a.connect("device2")
		a.change(func() { h.epoch++; h.claims[number2] = claim{"gateway-b", h.epoch} })
		a.tell(gateway.Change{Kind: gateway.Resync})
		if took := c.ends(); took > 2*time.Second {
			t.Errorf("closed after %v", took)
		}
		a.end()
		b.end()
	})
}

func TestOlderClaimsAreIgnored(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		s.tell(gateway.Change{Kind: gateway.Claimed, Device: number1, Instance: "gateway-b", Epoch: 0})
		s.tell(gateway.Change{Kind: gateway.Claimed, Device: number2, Instance: "gateway-b", Epoch: 99})
		synctest.Wait()
		c.alive()
	})
}

// brittle is a bus whose Watch fails at first.
type brittle struct {
	*house
	left atomic.Int32
}

func (b *brittle) Watch(ctx context.Context, changed func(gateway.Change)) error {
	if b.left.Add(-1) >= 0 {
		return errors.New("connection reset")
	}
	return b.house.Watch(ctx, changed)
}

func TestChangesAreWatchedAgain(t *testing.T) {
	bubble(t, func(s *site) {
		b := &brittle{house: s.house}
		b.left.Store(3)
		s.Server.Bus = b
	}, func(s *site) {
		c := s.connect("device1")
		s.change(func() { s.devices["device1"].Blocked = true })
		if took := c.ends(); took > 5*time.Second {
			t.Errorf("closed after %v", took)
		}
		c = s.connect("device2")
		<-time.After(5 * time.Second)
		s.change(func() { s.devices["device2"].Blocked = true })
		s.tell(gateway.Change{Kind: gateway.DeviceChanged, Device: number2})
		if took := c.ends(); took > 2*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestChangesBeforeTheBusIsWatched(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		s.change(func() { s.devices["device1"].Blocked = true })
		if took := c.ends(); took > 2*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

// What was in flight is confirmed, and everything else is closed, in 20 s.
func TestB32_Stop(t *testing.T) {
	bubble(t, nil, func(s *site) {
		s.change(func() {
			s.take = func(_ event, done func(error)) { time.AfterFunc(3*time.Second, func() { done(nil) }) }
		})
		for range 50 { // half open
			c, err := s.listen.(*pipes).dial()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		deaf := s.connect("device2") // reads nothing
		deaf.send([]byte{0xc0, 0})
		c := s.connect("device1")
		want := ""
		for id := range uint16(20) {
			c.send(publish("/devices/device1/events", id+1, "x"))
			want += puback(id + 1)
		}
		synctest.Wait()
		begin := time.Now()
		s.stop()
		c.expect(want)
		c.closed()
		if _, err := s.listen.(*pipes).dial(); err == nil {
			t.Error("another was let in")
		}
		<-s.ended
		// 3 s for what is in flight, and a little for the one who does not read.
		if took := time.Since(begin); took > 6*time.Second {
			t.Errorf("stopped after %v", took)
		}
		if n := len(s.released); n != 2 {
			t.Errorf("%d claims released", n)
		}
		for _, sign := range s.signs {
			if sign.ErrorStatus != nil && sign.ErrorStatus.Message != "mqtt: SERVER: The connection is closed because the server is shutting down." {
				t.Errorf("lastErrorStatus says %q", sign.ErrorStatus.Message)
			}
		}
	})
}

func TestB32_StopWhilePubSubHangs(t *testing.T) {
	bubble(t, nil, func(s *site) {
		var l late
		s.change(func() { s.take = l.take })
		c := s.connect("device1")
		go func() {
			for id := range uint16(200) { // more than there is room for: the reader waits
				if _, err := c.conn.Write(publish("/devices/device1/events", id+1, "x")); err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		begin := time.Now()
		s.stop()
		c.ends()
		<-s.ended
		if took := time.Since(begin); took > 20*time.Second || took < 10*time.Second {
			t.Errorf("stopped after %v", took)
		}
		for _, done := range l.all() {
			done(nil) // too late, and no harm
		}
		c.raw.Close()
	})
}

// M22: what was not acknowledged comes again; each copy is published, each counts.
func TestM22_PublishThenReset(t *testing.T) {
	s := open(t, nil)
	var booked atomic.Int64
	s.change(func() {
		s.delay = func(bytes int) time.Duration { booked.Add(int64(bytes)); return 0 }
	})
	for range 20 {
		c := s.connect("device1")
		c.send(publish("/devices/device1/events", 1, "twelve bytes"))
		c.raw.Close()
	}
	s.end()
	if n := len(s.events()); int64(n*12) > booked.Load() {
		t.Errorf("%d events, but only %d bytes were asked for", n, booked.Load())
	}
}

func TestSignsOfLife(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		c.alive()
		c.send(subscribe(1, "/devices/device1/config", 0))
		c.expect("\x90\x03\x00\x01\x00" + sent(0x30, "/devices/device1/config", 0, ""))
		now := time.Now()
		c.raw.Close()
		synctest.Wait()
		var heartbeat, config, failure time.Time
		for _, sign := range s.signs {
			if !sign.Heartbeat.IsZero() {
				heartbeat = sign.Heartbeat
			}
			if !sign.ConfigSend.IsZero() {
				config = sign.ConfigSend
			}
			if sign.ErrorStatus != nil {
				failure = sign.Error
				if *sign.ErrorStatus != (gateway.Status{Code: 9, Message: "mqtt: The connection broke or was closed by the client."}) {
					t.Errorf("lastErrorStatus is %v", *sign.ErrorStatus)
				}
			}
		}
		if !heartbeat.Equal(now) || !config.Equal(now) || !failure.Equal(now) {
			t.Errorf("heartbeat %v, config %v, error %v", heartbeat, config, failure)
		}
	})
}

func TestNoDevicesBytesReachAnother(t *testing.T) { // M15
	s := open(t, nil)
	var all sync.WaitGroup
	for _, name := range []string{"device1", "device2", "device3"} {
		c := s.connect(name)
		all.Go(func() {
			for _, b := range badPackets()[:200] {
				c.conn.Write(publish("/devices/"+name+"/events", 1, "canary of "+name))
				c.conn.Write(b.bytes)
				text, _ := io.ReadAll(c.in)
				for i := range text {
					if text[i] == 'c' {
						t.Errorf("%s read %q", name, text)
						break
					}
				}
				c.raw.Close()
				c = s.connect(name)
			}
		})
	}
	all.Wait()
	for _, e := range s.events() {
		if e.data != "canary of "+e.device {
			t.Errorf("%+v", e)
		}
	}
}

// meanwhile does something in the middle of an admission, or of a claim.
type meanwhile struct {
	*house
	admitted, claimed func()
}

func (m *meanwhile) Admit(ctx context.Context, a gateway.Attempt) (*gateway.Admission, error) {
	admission, err := m.house.Admit(ctx, a)
	if m.admitted != nil {
		m.admitted()
	}
	return admission, err
}

func (m *meanwhile) Claim(ctx context.Context, device uint64, instance string) (int64, error) {
	epoch, err := m.house.Claim(ctx, device, instance)
	if m.claimed != nil {
		m.claimed()
	}
	return epoch, err
}

func TestB34_BlockedBetweenAdmissionAndSession(t *testing.T) {
	var m *meanwhile
	bubble(t, func(s *site) {
		m = &meanwhile{house: s.house}
		s.Server.Bridge = m
		m.admitted = func() {
			s.change(func() { s.house.devices["device1"].Blocked = true })
			m.tell(gateway.Change{Kind: gateway.DeviceChanged, Device: number1})
		}
	}, func(s *site) {
		c := s.connect("device1")
		if took := c.ends(); took > 2*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestB38_ClaimedElsewhereBeforeTheSession(t *testing.T) {
	var m *meanwhile
	bubble(t, func(s *site) {
		m = &meanwhile{house: s.house}
		s.Server.Bus = m
		m.claimed = func() {
			m.tell(gateway.Change{Kind: gateway.Claimed, Device: number1, Instance: "gateway-b", Epoch: 99})
		}
	}, func(s *site) {
		c := s.connect("device1")
		if took := c.ends(); took > 2*time.Second {
			t.Errorf("closed after %v", took)
		}
		if n := len(s.sessions.claiming); n != 0 {
			t.Errorf("%d claims are still noted", n)
		}
	})
}

// stalled is a bus that does not answer, though it is told to stop.
type stalled struct{ *house }

func (stalled) Release(ctx context.Context, _ uint64, _ int64) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestB32_StopWhileTheStoreHangs(t *testing.T) {
	bubble(t, func(s *site) { s.Server.Bus = stalled{s.house} }, func(s *site) {
		for i := range 100 {
			name := fmt.Sprintf("many%d", i)
			s.change(func() { s.house.add(name, 3_000_000_000_000_000+uint64(i), false) })
			go io.Copy(io.Discard, s.connect(name).in)
		}
		begin := time.Now()
		s.end()
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("stopped after %v", took)
		}
	})
}

// Not even what the reader has in its buffer.
func TestB34_NothingIsTakenAfterTheEnd(t *testing.T) {
	d := newDesk(t, "device1", append(publish("/devices/device1/events", 1, "x"), publish("/devices/device1/state", 2, "y")...))
	d.take = func(_ event, done func(error)) {
		d.end(revoked)
		done(nil)
	}
	if why := d.read(d.ctx); why != revoked || len(d.states) > 0 {
		t.Errorf("ended for %s, took %v", why, d.states)
	}
}
