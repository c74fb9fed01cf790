package httpbridge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/gateway"
)

// pipes is a listener in memory, so that time may be a bubble's.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	over  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.over) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// everyone is a bridge that lets everyone in and keeps every event.
type everyone struct {
	*gateway.Bridge
	waiting chan func(error)
}

func (e *everyone) Admit(context.Context, gateway.Attempt) (*gateway.Admission, error) {
	return &gateway.Admission{Device: &gateway.Device{}}, nil
}

func (e *everyone) Telemetry(_ *gateway.Admission, _ string, _ []byte, done func(error)) {
	e.waiting <- done
}

// inBubble serves in a bubble; dial connects to it.
func inBubble(t *testing.T, test func(bridge *everyone, dial func() net.Conn, stop func() time.Duration)) {
	synctest.Test(t, func(t *testing.T) {
		bridge := &everyone{waiting: make(chan func(error), 1)}
		s := &Server{Bridge: bridge, Mailbox: noMailbox{}, Directory: bridge, TLS: &tls.Config{Certificates: []tls.Certificate{authority()}}}
		l := &pipes{conns: make(chan net.Conn), over: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, l) }()
		stop := sync.OnceValue(func() time.Duration {
			begin := time.Now()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			return time.Since(begin)
		})
		test(bridge, func() net.Conn {
			here, there := net.Pipe()
			l.conns <- there
			return here
		}, stop)
		stop()
	})
}

func (e *everyone) Device(context.Context, gateway.DeviceKey) (*gateway.Device, error) {
	return nil, gateway.ErrNotFound
}

func (e *everyone) Bound(context.Context, uint64, uint64) (bool, error) { return false, nil }

type noMailbox struct{}

func (noMailbox) Config(context.Context, uint64) (gateway.Config, error) {
	return gateway.Config{}, errors.ErrUnsupported
}

// gone waits until the other side has closed, and returns how long that took.
func gone(c net.Conn) time.Duration {
	begin := time.Now()
	io.Copy(io.Discard, c)
	return time.Since(begin)
}

const slowHead = "POST /v1/projects/project-1/locations/us-central1/registries/reg/devices/device1:publishEvent HTTP/1.1\r\nHost: x\r\n"

// M12: who does not finish what he has begun is cut off.
func TestM12_SlowClients(t *testing.T) {
	for _, c := range []struct {
		what string
		send func(c net.Conn) // after which nothing comes
		tls  bool
		most time.Duration
	}{
		{"nothing at all", func(net.Conn) {}, false, headTime},
		{"half a handshake", func(c net.Conn) { c.Write([]byte{22, 3, 1, 2, 0, 1}) }, false, headTime},
		{"only TLS", func(net.Conn) {}, true, headTime},
		{"half a head", func(c net.Conn) { io.WriteString(c, slowHead) }, true, headTime},
		{"no body", func(c net.Conn) { io.WriteString(c, slowHead+"Content-Length: 9\r\n\r\n") }, true, bodyTime},
		{"a byte of it now and then", func(c net.Conn) {
			io.WriteString(c, slowHead+"Content-Length: 90\r\n\r\n")
			for range 30 {
				<-time.After(time.Second)
				if _, err := c.Write([]byte{' '}); err != nil {
					return
				}
			}
		}, true, bodyTime},
	} {
		t.Run(c.what, func(t *testing.T) {
			inBubble(t, func(_ *everyone, dial func() net.Conn, _ func() time.Duration) {
				conn := dial()
				sent := make(chan struct{})
				defer func() { conn.Close(); <-sent }()
				if c.tls {
					secure := tls.Client(conn, clientTLS())
					if err := secure.Handshake(); err != nil {
						t.Fatal(err)
					}
					conn = secure
				}
				go func() {
					defer close(sent)
					c.send(conn)
				}()
				if took := gone(conn); took > c.most+time.Second {
					t.Errorf("closed after %s, want %s", took, c.most)
				}
			})
		})
	}
}

// B32: what is under way when the server stops is still answered; half-open
// connections do not keep it.
func TestB32_StopAnswersWhatIsUnderWay(t *testing.T) {
	inBubble(t, func(bridge *everyone, dial func() net.Conn, stop func() time.Duration) {
		var mute []net.Conn
		for range 50 {
			mute = append(mute, dial())
		}
		client := &http.Client{Transport: &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			return tls.Client(dial(), clientTLS()), nil
		}}}
		answered := make(chan int, 1)
		go func() {
			res, err := client.Post("https://gateway.test/v1/projects/project-1/locations/us-central1/registries/reg/devices/device1:publishEvent",
				"application/json", strings.NewReader(`{}`))
			if err != nil {
				t.Error(err)
				answered <- 0
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			answered <- res.StatusCode
		}()
		done := <-bridge.waiting
		time.AfterFunc(3*time.Second, func() { done(nil) })
		took := stop()
		if code := <-answered; code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
		if took < 3*time.Second || took > 11*time.Second {
			t.Errorf("stopped after %s", took)
		}
		for _, c := range mute {
			c.Close()
		}
		client.CloseIdleConnections()
	})
}

// M13: one address cannot take every place, and gives them back.
func TestM13_ConnectionsOfAnAddress(t *testing.T) {
	s := open(t, func(s *Server) { s.Limits.PerAddress = 2 })
	connect := func() (*tls.Conn, error) { return tls.Dial("tcp", s.address, clientTLS()) }
	first, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	second, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if third, err := connect(); err == nil {
		third.Close()
		t.Error("a third connection of an address that may have two")
	}
	first.Close()
	for {
		again, err := connect()
		if err == nil {
			again.Close()
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}
