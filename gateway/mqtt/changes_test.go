package mqtt

import (
	"context"
	"errors"
	"os"
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
