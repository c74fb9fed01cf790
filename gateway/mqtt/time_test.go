package mqtt

import (
	"bytes"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/gateway"
)

// All of them are gone 10 s after they came.
func TestM12_Slowloris(t *testing.T) {
	connect := connectPacket(clientID("device1"), "device1's", 60)
	hello := func(c net.Conn) error { return tls.Client(c, clientTLS()).Handshake() }
	for name, attack := range map[string]func(c net.Conn){
		"TCP only":   func(c net.Conn) {},
		"half a TLS": func(c net.Conn) { c.Write([]byte("\x16\x03\x01\x02\x00")) },
		"TLS only":   func(c net.Conn) { hello(c) },
		"TLS drip":   func(c net.Conn) { drip(c, bytes.Repeat([]byte("\x16\x03\x01\x02\x00\x01"), 20)) },
		"one byte":   func(c net.Conn) { tls := tls.Client(c, clientTLS()); tls.Handshake(); tls.Write(connect[:1]) },
		"all but one": func(c net.Conn) {
			tls := tls.Client(c, clientTLS())
			tls.Handshake()
			tls.Write(connect[:len(connect)-1])
		},
		"drip": func(c net.Conn) { drip(tls.Client(c, clientTLS()), connect) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(s *site) {
				c, err := s.listen.(*pipes).dial()
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				var attacking sync.WaitGroup
				attacking.Go(func() { attack(c) })
				synctest.Wait()
				over := make(chan time.Duration)
				go func() {
					for {
						s.doorstep.mu.Lock()
						n := s.doorstep.all
						s.doorstep.mu.Unlock()
						if n == 0 {
							over <- time.Since(begin)
							return
						}
						<-time.After(100 * time.Millisecond)
					}
				}()
				if took := <-over; took > 11*time.Second {
					t.Errorf("closed after %v", took)
				}
				c.Close()
				attacking.Wait()
			})
		})
	}
}

// drip writes a byte a second.
func drip(c net.Conn, b []byte) {
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return
		}
		<-time.After(time.Second)
	}
}

func TestM12_KeepaliveAndIdle(t *testing.T) {
	for name, test := range map[string]struct {
		keepalive uint16
		want      time.Duration
		why       gateway.Reason
	}{
		"60 s":  {60, 90 * time.Second, silent},
		"1 s":   {1, 1500 * time.Millisecond, silent},
		"none":  {0, 20 * time.Minute, idle},
		"hours": {65535, 20 * time.Minute, idle},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(s *site) { s.house.expires = 24 * time.Hour }, func(s *site) {
				c := s.dial()
				c.send(connectPacket(clientID("device1"), "device1's", test.keepalive))
				c.expect("\x20\x02\x00\x00")
				// A ping shortly before the end begins it anew; half a packet does not.
				<-time.After(test.want - time.Millisecond)
				c.send([]byte{0xc0, 0})
				c.expect("\xd0\x00")
				begin := time.Now()
				<-time.After(test.want / 2)
				c.send(publish("/devices/device1/events", 1, "x")[:5])
				c.conn.SetReadDeadline(time.Time{})
				if _, err := c.in.ReadByte(); err == nil {
					t.Error("a byte came")
				}
				if took := time.Since(begin); took != test.want {
					t.Errorf("closed after %v, want %v", took, test.want)
				}
				synctest.Wait()
				if n := testutil.ToFloat64(s.Metrics.Disconnects.WithLabelValues(string(test.why))); n != 1 {
					t.Errorf("not counted as %s", test.why)
				}
			})
		})
	}
}

func TestM20_TokenExpiry(t *testing.T) {
	bubble(t, func(s *site) { s.house.expires = time.Hour }, func(s *site) {
		c := s.connect("device1")
		begin := time.Now()
		var busy sync.WaitGroup
		defer busy.Wait()
		busy.Go(func() {
			for { // all the time
				<-time.After(time.Minute)
				if _, err := c.conn.Write([]byte{0xc0, 0}); err != nil {
					return
				}
			}
		})
		var err error
		for err == nil {
			c.conn.SetReadDeadline(time.Time{})
			_, err = c.in.ReadByte()
		}
		if took := time.Since(begin); took != 70*time.Minute {
			t.Errorf("closed after %v, want 1 h 10 min", took)
		}
		synctest.Wait()
		if n := testutil.ToFloat64(s.Metrics.Disconnects.WithLabelValues(string(expired))); n != 1 {
			t.Error("not counted as expired")
		}
	})
}
