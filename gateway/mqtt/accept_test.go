package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

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
		if _, err := io.ReadAll(raw); errors.Is(err, os.ErrDeadlineExceeded) {
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
