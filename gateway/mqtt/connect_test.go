package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/gateway"
)

func TestConnack(t *testing.T) {
	s := open(t, nil)
	id := clientID("device1")
	for name, test := range map[string]struct {
		id, token string
		want      byte
	}{
		"known":             {id, "device1's", accepted},
		"by number":         {clientID("1000000000000001"), "device1's", accepted},
		"wrong key":         {id, "device2's", notAuthorized},
		"no token":          {id, "", notAuthorized},
		"unknown device":    {clientID("device77"), "device1's", notAuthorized},
		"unknown number":    {clientID("1000000000000077"), "device1's", notAuthorized},
		"unknown registry":  {strings.Replace(id, "Raspberry", "Blueberry", 1), "device1's", notAuthorized},
		"unknown project":   {strings.Replace(id, "project-1", "project-2", 1), "device1's", notAuthorized},
		"unknown location":  {strings.Replace(id, "us-", "eu-", 1), "device1's", notAuthorized},
		"token of 5,000":    {id, strings.Repeat("x", 5000), notAuthorized},
		"no client id":      {"", "device1's", badClientID},
		"a name only":       {"device1", "device1's", badClientID},
		"trailing slash":    {id + "/", "device1's", badClientID},
		"too short a name":  {clientID("ab"), "device1's", badClientID},
		"goog":              {clientID("google1"), "device1's", badClientID},
		"15 digits":         {clientID("100000000000001"), "device1's", badClientID},
		"above 2^53":        {clientID("9007199254740992"), "device1's", badClientID},
		"of another spell":  {strings.Replace(id, "projects", "Projects", 1), "device1's", badClientID},
		"empty project":     {strings.Replace(id, "project-1", "", 1), "device1's", badClientID},
		"two levels":        {strings.Replace(id, "device1", "device1/x", 1), "device1's", badClientID},
		"M6 hash":           {"#", "x", badClientID},
		"M6 plus":           {"+", "x", badClientID},
		"M6 path":           {"a/b", "x", badClientID},
		"M6 dots":           {"..", "x", badClientID},
		"M6 device dots":    {clientID("../device1"), "x", badClientID},
		"M6 device plus":    {clientID("dev+ice"), "x", badClientID},
		"M6 right to left":  {clientID("dev\u202eice"), "x", badClientID},
		"M6 fullwidth":      {clientID("ｄevice1"), "x", badClientID},
		"M6 7,000 bytes":    {clientID(strings.Repeat("d", 7000)), "x", badClientID},
		"M6 case of device": {clientID("Device1"), "device1's", notAuthorized},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			c.send(connectPacket(test.id, test.token, 60))
			c.expect("\x20\x02\x00" + string(test.want))
			if test.want != accepted {
				c.closed()
			}
		})
	}
	if got := testutil.ToFloat64(s.Metrics.Refusals.WithLabelValues(string(gateway.UnknownDevice))); got != 3 {
		t.Errorf("%v unknown devices counted, want 3", got)
	}
}

func TestConnackWhenTheStoreIsDown(t *testing.T) {
	s := open(t, nil)
	s.house.down = true
	c := s.dial()
	c.send(connectPacket(clientID("device1"), "device1's", 60))
	c.expect("\x20\x02\x00\x03")
	c.closed()
}

func TestConnectVariants(t *testing.T) {
	s := open(t, nil)
	id, token := text(clientID("device1")), text("device1's")
	head := func(name string, level, flags byte) []byte { return append(text(name), level, flags, 0, 60) }
	for name, test := range map[string]struct {
		body []byte
		want string // "": closed without an answer
	}{
		"empty user name":               {bytes.Join([][]byte{head("MQTT", 4, 0xc2), id, text(""), token}, nil), "\x20\x02\x00\x00"},
		"M9 session to be kept":         {bytes.Join([][]byte{head("MQTT", 4, 0xc0), id, text(""), token}, nil), "\x20\x02\x00\x00"},
		"no password":                   {bytes.Join([][]byte{head("MQTT", 4, 0x82), id, text("x")}, nil), "\x20\x02\x00\x05"},
		"neither":                       {bytes.Join([][]byte{head("MQTT", 4, 0x02), id}, nil), "\x20\x02\x00\x05"},
		"M14 MQTT 3.1":                  {bytes.Join([][]byte{head("MQIsdp", 3, 0xc2), id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M14 MQTT 5":                    {bytes.Join([][]byte{head("MQTT", 5, 0xc2), {0}, id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M16 MQTT 5, alias and session": {bytes.Join([][]byte{head("MQTT", 5, 0xc2), {8, 0x11, 255, 255, 255, 255, 0x22, 0, 9}, id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M14 level 0":                   {bytes.Join([][]byte{head("MQTT", 0, 0xc2), id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M14 a bridge's level":          {bytes.Join([][]byte{head("MQTT", 0x84, 0xc2), id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M14 HTTP":                      {bytes.Join([][]byte{head("HTTP", 4, 0xc2), id, text(""), token}, nil), ""},
		"M14 lower case":                {bytes.Join([][]byte{head("mqtt", 4, 0xc2), id, text(""), token}, nil), ""},
		"M14 reserved flag":             {bytes.Join([][]byte{head("MQTT", 4, 0xc3), id, text(""), token}, nil), ""},
		"M14 password without user":     {bytes.Join([][]byte{head("MQTT", 4, 0x42), id, token}, nil), ""},
		"M14 trailing byte":             {bytes.Join([][]byte{head("MQTT", 4, 0xc2), id, text(""), token, {0}}, nil), ""},
		"M14 NUL in the id":             {bytes.Join([][]byte{head("MQTT", 4, 0xc2), text("a\x00b"), text(""), token}, nil), ""},
		"M14 id is no UTF-8":            {bytes.Join([][]byte{head("MQTT", 4, 0xc2), text("a\xff"), text(""), token}, nil), ""},
		"M7 will":                       {bytes.Join([][]byte{head("MQTT", 4, 0xc6), id, text("/devices/device2/events"), text("x"), text(""), token}, nil), ""},
		"M7 will on the own topic":      {bytes.Join([][]byte{head("MQTT", 4, 0xce), id, text("/devices/device1/events"), text("x"), text(""), token}, nil), ""},
		"M7 retained will":              {bytes.Join([][]byte{head("MQTT", 4, 0xe6), id, text("/devices/device1/events"), text("x"), text(""), token}, nil), ""},
		"M7 will flags without a will":  {bytes.Join([][]byte{head("MQTT", 4, 0xca), id, text(""), token}, nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			c.send(pack(0x10, test.body))
			if test.want != "" {
				c.expect(test.want)
			}
			if !strings.HasSuffix(test.want, "\x00") {
				c.closed()
			}
		})
	}
	s.wantEvents()
}

func TestM14_NoSecondConnect(t *testing.T) {
	s := open(t, nil)
	c := s.connect("device1")
	c.send(connectPacket(clientID("device2"), "device2's", 60))
	c.closed()
	if n := testutil.ToFloat64(s.Metrics.Connects.WithLabelValues("accepted")); n != 1 {
		t.Errorf("%v accepted", n)
	}
}

func TestPacketsMayComeBeforeTheConnack(t *testing.T) {
	s := open(t, nil)
	c := s.dial()
	c.send(append(connectPacket(clientID("device1"), "device1's", 60), publish("/devices/device1/events", 1, "early")...))
	c.expect("\x20\x02\x00\x00" + puback(1))
	s.wantEvents(event{device: "device1", data: "early"})
}

// Refused before the session of the one it would take over is touched.
func TestM5_TakeoverWantsTheKey(t *testing.T) {
	s := open(t, nil)
	victim := s.connect("device1")
	c := s.dial()
	c.send(connectPacket(clientID("device1"), "device2's", 60))
	c.expect("\x20\x02\x00\x05")
	c.closed()
	victim.send(publish("/devices/device1/events", 1, "x"))
	victim.expect(puback(1))
	if n := s.house.epoch; n != 1 {
		t.Errorf("%d claims", n)
	}
}

func TestTheNewerSessionStays(t *testing.T) {
	s := open(t, nil)
	first := s.connect("device1")
	second := s.dial()
	second.send(connectPacket(clientID("1000000000000001"), "device1's", 60)) // the same device
	second.expect("\x20\x02\x00\x00")
	first.closed()
	second.send(publish("/devices/device1/events", 1, "x"))
	second.expect(puback(1))
	s.end()
	if n := testutil.ToFloat64(s.Metrics.Disconnects.WithLabelValues(string(takenOver))); n != 1 {
		t.Errorf("%v takeovers counted", n)
	}
	for _, sign := range s.house.signs {
		if sign.ErrorStatus != nil && sign.ErrorStatus.Code == 6 {
			if want := "mqtt: SERVER: The connection was closed because there is another active connection with the same device ID."; sign.ErrorStatus.Message != want {
				t.Errorf("lastErrorStatus says %q", sign.ErrorStatus.Message)
			}
			return
		}
	}
	t.Error("no lastErrorStatus")
}

func TestM11_OversizeBeforeAuthentication(t *testing.T) {
	s := open(t, func(s *Server) { s.Limits.PerAddress = 2000 })
	var before, after runtime.MemStats
	for name, head := range map[string]string{"256 MiB": "\x10\xff\xff\xff\x7f", "8 KiB and 1": "\x10\x81\x40", "5 bytes of length": "\x10\xff\xff\xff\xff\x01"} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			c.send([]byte(head))
			c.closed()
		})
	}
	runtime.ReadMemStats(&before)
	for range 100 {
		c := s.dial()
		c.send([]byte("\x10\xff\xff\xff\x7f"))
		c.closed()
		c.raw.Close()
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
		t.Errorf("%d MiB allocated for 100 connections", grown>>20)
	}
}

func TestM11_OversizeAfterAuthentication(t *testing.T) {
	s := open(t, nil)
	for name, head := range map[string]string{"256 MiB": "\x30\xff\xff\xff\x7f", "5 bytes of length": "\x30\x80\x80\x80\x80\x01"} {
		t.Run(name, func(t *testing.T) {
			c := s.connect("device1")
			c.send([]byte(head))
			c.closed()
		})
	}
}

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

func TestM13_ConnectionLimits(t *testing.T) {
	t.Run("of an address", func(t *testing.T) {
		s := open(t, func(s *Server) { s.Limits.PerAddress = 3 })
		for range 3 {
			s.dial()
		}
		if _, err := dial(s.listen); err == nil {
			t.Error("a fourth came in")
		}
	})
	t.Run("in all", func(t *testing.T) {
		s := open(t, func(s *Server) { s.Limits.Connections = 2 })
		s.dial()
		c := s.dial()
		if _, err := dial(s.listen); err == nil {
			t.Error("a third came in")
		}
		c.raw.Close()
		for { // there is room again
			if _, err := dial(s.listen); err == nil {
				break
			}
			runtime.Gosched()
		}
		if testutil.ToFloat64(s.Metrics.Connects.WithLabelValues("crowded")) < 1 {
			t.Error("not counted")
		}
	})
}

func TestM19_TLS(t *testing.T) {
	s := open(t, nil)
	for name, change := range map[string]func(*tls.Config){
		"1.0": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 },
		"1.1": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 },
		"weak ciphers": func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}
		},
		"another name": func(c *tls.Config) { c.ServerName = "other.test" },
	} {
		t.Run(name, func(t *testing.T) {
			config := clientTLS()
			change(config)
			if _, err := tls.Dial("tcp", s.listen.Addr().String(), config); err == nil {
				t.Error("accepted")
			}
		})
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := clientTLS()
		config.MinVersion, config.MaxVersion = version, version
		config.Certificates = []tls.Certificate{authority()} // not asked for
		c, err := tls.Dial("tcp", s.listen.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	raw, err := net.Dial("tcp", s.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.Write(connectPacket(clientID("device1"), "device1's", 60))
	b, _ := io.ReadAll(raw)
	if bytes.Contains(b, []byte("\x20\x02\x00")) {
		t.Errorf("plain MQTT was answered: %x", b)
	}
}

func TestM23_NoOtherProtocolOnThePort(t *testing.T) {
	s := open(t, nil)
	for _, text := range []string{
		"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
		"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x02",
	} {
		raw, err := net.Dial("tcp", s.listen.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		raw.Write([]byte(text))
		raw.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(raw); errors.Is(err, context.DeadlineExceeded) {
			t.Error("still open")
		}
		raw.Close()
		c := s.dial()
		c.send([]byte(text))
		c.closed()
	}
}

// full is a listener without file descriptors, for a while.
type full struct {
	net.Listener
	mu   sync.Mutex
	left int
	at   []time.Time
}

func (f *full) Accept() (net.Conn, error) {
	f.mu.Lock()
	f.at = append(f.at, time.Now())
	f.left--
	left := f.left
	f.mu.Unlock()
	if left >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return f.Listener.Accept()
}

func TestB37_AcceptSurvivesEMFILE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		f := &full{Listener: p, left: 12}
		h := newHouse()
		s := openOn(t, f, h, nil)
		s.listen = p
		c := s.connect("device1")
		c.send(publish("/devices/device1/events", 1, "x"))
		c.expect(puback(1))
		s.end()
		var pauses []string
		for i := range 12 {
			pauses = append(pauses, fmt.Sprint(f.at[i+1].Sub(f.at[i])))
		}
		if got, want := strings.Join(pauses, " "), "5ms 10ms 20ms 40ms 80ms 160ms 320ms 640ms 1s 1s 1s 1s"; got != want {
			t.Errorf("pauses of %s, want %s", got, want)
		}
	})
}

func TestServeEndsWhenTheListenerIsClosed(t *testing.T) {
	s := &Server{Bridge: newHouse(), Mailbox: newHouse(), Bus: newHouse(), Instance: "a", TLS: serverTLS()}
	p := newPipes()
	p.Close()
	if err := s.Serve(context.Background(), p); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ended with %v", err)
	}
}

func TestServerSaysWhatIsMissing(t *testing.T) {
	if err := new(Server).Run(context.Background()); err == nil {
		t.Error("ran without anything")
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
