package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/gateway"
)

func (s *site) events() []event {
	s.house.mu.Lock()
	defer s.house.mu.Unlock()
	return append([]event(nil), s.taken...)
}

func (s *site) wantEvents(want ...event) {
	s.t.Helper()
	if d := cmp.Diff(want, s.events(), cmp.AllowUnexported(event{})); d != "" {
		s.t.Error(d)
	}
}

// bubble runs f with a server on pipes, under a fake clock.
func bubble(t *testing.T, change func(*site), f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		s := openOn(t, newPipes(), h, func(server *Server) {
			if change != nil {
				change(&site{house: h, Server: server})
			}
		})
		synctest.Wait() // until the bus is watched
		f(s)
		s.end()
	})
}

func TestPublishIsAcknowledged(t *testing.T) {
	s := open(t, nil)
	c := s.connect("device1")
	c.send(publish("/devices/device1/events/temperature", 7, `{"temperature":21.5}`))
	c.expect(puback(7))
	s.wantEvents(event{device: "device1", folder: "temperature", data: `{"temperature":21.5}`})
	c.send([]byte{0xe0, 0})
	c.closed()
}

func TestBothSpellingsAreOneDevice(t *testing.T) {
	s := open(t, nil)
	c := s.dial()
	c.send(connectPacket(clientID("1000000000000001"), "device1's", 60))
	c.expect("\x20\x02\x00\x00")
	c.send(publish("/devices/1000000000000001/events/a", 1, "x"))
	c.send(publish("/devices/device1/events/a/b", 2, ""))
	c.send(publish("/devices/device1/events", 3, "y"))
	c.expect(puback(1) + puback(2) + puback(3))
	s.wantEvents(event{device: "device1", folder: "a", data: "x"}, event{device: "device1", folder: "a/b"}, event{device: "device1", data: "y"})
}

func TestQoS0IsPublishedAndNotAcknowledged(t *testing.T) {
	s := open(t, nil)
	c := s.connect("device1")
	c.send(publish("/devices/device1/events", 0, "x"))
	c.send([]byte{0xc0, 0})
	c.expect("\xd0\x00")
	s.wantEvents(event{device: "device1", data: "x"})
}

// The bytes of a PUBACK begin with 0x40: none comes for what Pub/Sub did not take.
func TestB26_PubSubDoesNotTakeIt(t *testing.T) {
	for name, failure := range map[string]error{
		"unavailable": errors.New("unavailable"), "busy": gateway.ErrBusy, "no topic": gateway.ErrNoTopic,
		"over rate": refuse(gateway.OverRate),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			s.house.take = func(e event, done func(error)) {
				if e.data == "bad" {
					done(failure)
					return
				}
				done(nil)
			}
			c := s.connect("device1")
			c.send(publish("/devices/device1/events", 1, "good"))
			c.expect(puback(1))
			c.send(append(publish("/devices/device1/events", 2, "bad"), publish("/devices/device1/events", 3, "good")...))
			c.closed()
		})
	}
}

func TestQoS0MayBeLost(t *testing.T) {
	s := open(t, nil)
	s.house.take = func(_ event, done func(error)) { done(errors.New("unavailable")) }
	c := s.connect("device1")
	c.send(publish("/devices/device1/events", 0, "x"))
	c.send([]byte{0xc0, 0})
	c.expect("\xd0\x00")
}

// late keeps what it is given, for the test to answer.
type late struct {
	mu   sync.Mutex
	done []func(error)
}

func (l *late) take(_ event, done func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, done)
}

func (l *late) all() []func(error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

func TestPubacksKeepTheOrder(t *testing.T) {
	bubble(t, nil, func(s *site) {
		var l late
		s.house.take = l.take
		c := s.connect("device1")
		for id := range uint16(50) {
			c.send(publish("/devices/device1/events", id+1, "x"))
		}
		synctest.Wait()
		want := ""
		for i := len(l.all()) - 1; i > 0; i-- {
			l.done[i](nil)
		}
		for id := range uint16(50) {
			want += puback(id + 1)
		}
		synctest.Wait()
		l.done[0](nil)
		c.expect(want)
	})
}

func TestAFailureHoldsBackWhatCameAfter(t *testing.T) {
	bubble(t, nil, func(s *site) {
		var l late
		s.house.take = l.take
		c := s.connect("device1")
		for id := range uint16(4) {
			c.send(publish("/devices/device1/events", id+1, "x"))
		}
		synctest.Wait()
		l.done[0](nil)
		l.done[3](nil)
		l.done[2](nil)
		l.done[1](errors.New("unavailable"))
		c.expect(puback(1))
		c.closed()
	})
}

func TestB27_PubSubHangs(t *testing.T) {
	bubble(t, func(s *site) { s.Limits.Inflight, s.Limits.TotalInflight = 32, 40 }, func(s *site) {
		var l late
		s.house.take = l.take
		c, other := s.connect("device1"), s.connect("device2")
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for id := range uint16(100) {
				c.conn.Write(publish("/devices/device1/events", id+1, "x"))
			}
		}()
		synctest.Wait()
		if n := len(l.all()); n != 32 {
			t.Fatalf("%d in flight, want 32", n)
		}
		select {
		case <-sent:
			t.Error("the socket is still read")
		default:
		}
		if n := testutil.ToFloat64(s.Metrics.Inflight); n != 32 {
			t.Errorf("gauge says %v", n)
		}
		other.send(publish("/devices/device2/events", 9, "x"))
		synctest.Wait()
		l.all()[32](nil)
		other.expect(puback(9))
		answered := 0
		for id := range uint16(100) {
			synctest.Wait()
			for _, done := range l.all()[answered:] {
				if answered++; answered != 33 {
					done(nil)
				}
			}
			c.expect(puback(id + 1))
		}
		<-sent
		if n := testutil.ToFloat64(s.Metrics.Inflight) + testutil.ToFloat64(s.Metrics.InflightBytes); n != 0 {
			t.Errorf("gauges say %v at the end", n)
		}
	})
}

func TestInflightIsBoundedInBytes(t *testing.T) {
	bubble(t, func(s *site) { s.Limits.InflightBytes = 100_000 }, func(s *site) {
		var l late
		s.house.take = l.take
		c := s.connect("device1")
		big := strings.Repeat("x", 60_000)
		go func() {
			for id := range uint16(3) {
				c.conn.Write(publish("/devices/device1/events", id+1, big))
			}
		}()
		synctest.Wait()
		if n := len(l.all()); n != 1 {
			t.Errorf("%d in flight", n)
		}
		for i := range 3 {
			l.all()[i](nil)
			c.expect(puback(uint16(i + 1)))
			synctest.Wait()
		}
	})
}

func TestThreeThousandInFlightAtOnce(t *testing.T) {
	bubble(t, func(s *site) { s.Limits.PerAddress = 100 }, func(s *site) {
		s.house.take = func(_ event, done func(error)) { time.AfterFunc(300*time.Millisecond, func() { done(nil) }) }
		var clients []*client
		for i := range 30 {
			name := fmt.Sprintf("busy%d", i)
			s.house.add(name, 3_000_000_000_000_000+uint64(i), false)
			clients = append(clients, s.connect(name))
		}
		begin := time.Now()
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() {
				want := ""
				for id := range uint16(100) {
					c.send(publish(fmt.Sprintf("/devices/busy%d/events", i), id+1, "x"))
					want += puback(id + 1)
				}
				c.expect(want)
			})
		}
		all.Wait()
		if took := time.Since(begin); took >= time.Second {
			t.Errorf("3,000 publishes were acknowledged after %v", took)
		}
	})
}

func TestB35_PayloadSizes(t *testing.T) {
	s := open(t, nil)
	for kind, most := range map[string]int{"events": gateway.MaxTelemetry, "events/sub": gateway.MaxTelemetry, "state": gateway.MaxState} {
		for _, size := range []int{0, 1, most - 1, most} {
			c := s.connect("device1")
			c.send(publish("/devices/device1/"+kind, 5, strings.Repeat("x", size)))
			c.expect(puback(5))
		}
		c := s.connect("device1")
		c.send(publish("/devices/device1/"+kind, 5, strings.Repeat("x", most+1)))
		c.closed()
	}
	for _, e := range s.events() {
		if len(e.data) > gateway.MaxTelemetry || strings.Trim(e.data, "x") != "" {
			t.Errorf("%d bytes came through, or others", len(e.data))
		}
	}
	if n := len(s.events()); n != 8 {
		t.Errorf("%d events, want 8", n)
	}
}

func TestM8_RetainIsIgnored(t *testing.T) {
	s := open(t, nil)
	c := s.connect("device1")
	for id, data := range []string{"x", ""} {
		p := publish("/devices/device1/events", uint16(id+1), data)
		p[0] |= 1
		c.send(p)
		c.expect(puback(uint16(id + 1)))
	}
	c.send(subscribe(9, "/devices/device1/commands/#", 1))
	c.expect("\x90\x03\x00\x09\x01")
	c.send([]byte{0xc0, 0})
	c.expect("\xd0\x00")
}

func TestM10_QoS2Closes(t *testing.T) {
	for name, b := range map[string][]byte{
		"publish": pack(0x34, text("/devices/device1/events"), []byte{0, 1}, []byte("x")),
		"pubrel":  pack(0x62, []byte{0, 1}), "pubrec": pack(0x50, []byte{0, 1}), "pubcomp": pack(0x70, []byte{0, 1}),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			c := s.connect("device1")
			c.send(b)
			c.closed()
			s.wantEvents()
		})
	}
}

func TestM21_RateIsHeldByNotReading(t *testing.T) {
	bubble(t, nil, func(s *site) {
		// 100 messages a second, as many at once.
		var p pace
		s.house.delay = func(int) time.Duration {
			before := p
			wait := p.next(time.Now(), 100)
			if wait > 0 {
				p = before
			}
			return wait
		}
		c := s.connect("device1")
		begin := time.Now()
		go func() {
			for id := range uint16(1000) {
				c.conn.Write(publish("/devices/device1/events", id+1, "x"))
			}
		}()
		for id := range uint16(1000) {
			c.expect(puback(id + 1))
		}
		if took := time.Since(begin).Round(10 * time.Millisecond); took != 9*time.Second {
			t.Errorf("1,000 messages took %v, want 9 s", took)
		}
	})
}

func TestOtherPacketsAreHeldToARate(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		begin := time.Now()
		go func() {
			for range 300 {
				c.conn.Write([]byte{0xc0, 0})
			}
		}()
		c.expect(strings.Repeat("\xd0\x00", 300))
		if took := time.Since(begin).Round(10 * time.Millisecond); took != 2*time.Second {
			t.Errorf("300 pings took %v, want 2 s", took)
		}
	})
}

func TestStateIsKept(t *testing.T) {
	s := open(t, nil)
	c := s.connect("device1")
	c.send(publish("/devices/device1/state", 3, "on"))
	c.expect(puback(3))
	want := []event{{device: "device1", data: "on"}}
	if d := cmp.Diff(want, s.states, cmp.AllowUnexported(event{})); d != "" {
		t.Error(d)
	}
	s.house.mu.Lock()
	s.house.down = true
	s.house.mu.Unlock()
	c.send(publish("/devices/device1/state", 4, "off"))
	c.closed()
}
