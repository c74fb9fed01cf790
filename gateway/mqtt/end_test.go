package mqtt

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/gateway"
)

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
