package loadtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"

	"iotbridge/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testRegistry = gateway.RegistryKey{Project: "project-1", Location: "us-central1", Registry: "RaspberryPiDevices"}

func newFleet(t *testing.T, n int) []Device {
	t.Helper()
	fleet, err := NewFleet(testRegistry, "device", n)
	if err != nil {
		t.Fatal(err)
	}
	return fleet
}

// decode has another's codec read a packet.
func decode(t *testing.T, p []byte) packets.Packet {
	t.Helper()
	var got packets.Packet
	if err := got.FixedHeader.Decode(p[0]); err != nil {
		t.Fatal(err)
	}
	body := p[1:]
	for more := true; more; body = body[1:] {
		more = body[0] >= 0x80
	}
	got.ProtocolVersion = 4
	var err error
	if got.FixedHeader.Type == packets.Connect {
		err = got.ConnectDecode(body)
	} else {
		err = got.PublishDecode(body)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPacketsAreThoseOfADevice(t *testing.T) {
	d := newFleet(t, 2)[1]
	c := decode(t, d.connect()).Connect
	if c.ClientIdentifier != "projects/project-1/locations/us-central1/registries/RaspberryPiDevices/devices/device2" ||
		!c.UsernameFlag || !c.Clean || c.WillFlag || string(c.Password) != d.token {
		t.Errorf("CONNECT %+v", c)
	}
	text, id := d.publish(time.UnixMilli(1_700_000_000_123))
	text[id], text[id+1] = 1, 2
	p := decode(t, text)
	if p.TopicName != "/devices/device2/events/temperature" || p.FixedHeader.Qos != 1 || p.PacketID != 0x102 ||
		string(p.Payload) != `{"device_id":"device2","timestamp":1700000000.123,"temperature":21.437}` {
		t.Errorf("PUBLISH %+v %q", p, p.Payload)
	}
}

func TestTokensAreSignedWithTheDevicesKeys(t *testing.T) {
	fleet := newFleet(t, 2)
	check := func(token, key string) error {
		_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return jwt.ParseECPublicKeyFromPEM([]byte(key)) },
			jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience("project-1"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
		return err
	}
	if err := check(fleet[0].token, fleet[0].PublicKey); err != nil {
		t.Error(err)
	}
	if check(fleet[0].token, fleet[1].PublicKey) == nil {
		t.Error("two devices share a key")
	}
}

func TestReadFleet(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, curve elliptic.Curve) {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadFleet(testRegistry, dir, 5); err == nil || !strings.Contains(err.Error(), "no key in it") {
		t.Errorf("an empty directory: %v", err)
	}
	for _, name := range []string{"device1.pem", "device2.pem", "device3.pem"} {
		write(name, elliptic.P256())
	}
	fleet, err := ReadFleet(testRegistry, dir, 2)
	if err != nil || len(fleet) != 2 || fleet[1].Device != "device2" {
		t.Errorf("got %d devices, %v", len(fleet), err)
	}
	write("1device.pem", elliptic.P256())
	if _, err := ReadFleet(testRegistry, dir, 5); err == nil || !strings.Contains(err.Error(), "no device's name") {
		t.Errorf("a name that no device may have: %v", err)
	}
	write("1device.pem", elliptic.P384())
	if _, err := ReadFleet(testRegistry, dir, 5); !errors.Is(err, errKey) {
		t.Errorf("a key on another curve: %v", err)
	}
}

func TestQuantilesAreWithinThreePercent(t *testing.T) {
	var l latency
	if got := l.quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 100_000 {
		l.add(time.Duration(i+1) * 731)
	}
	for _, q := range []float64{0.001, 0.5, 0.99, 1} {
		got, want := float64(l.quantile(q)), q*100_000*731
		if got < want || got > want*1.035 {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
	for _, d := range []time.Duration{-1, 0, 1, 63, 64, 65, 127, 128, math.MaxInt64} {
		if b := bucket(max(d, 0)); most(b) < d || b > 0 && most(b-1) >= d {
			t.Errorf("%d is in bucket %d, which ends at %d", d, b, most(b))
		}
	}
}

func TestUsage(t *testing.T) {
	text := "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 100 1000 25 18446744073709551615"
	u, err := parseUsage([]byte(text))
	if want := (usage{3 * time.Second, 25 * int64(os.Getpagesize())}); err != nil || u != want {
		t.Errorf("got %v, %v, want %v", u, err, want)
	}
	if _, err := parseUsage([]byte("7 (a) S 1")); err == nil {
		t.Error("half a line is taken")
	}
}

func TestFilesThatCannotBeHad(t *testing.T) {
	if err := NeedFiles(3); err != nil {
		t.Error(err)
	}
	if err := NeedFiles(math.MaxInt32); err == nil || !strings.Contains(err.Error(), "raise the hard limit") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyThisMachineIsLoaded(t *testing.T) {
	l := &Load{Devices: newFleet(t, 1), TLS: ClientTLS(false)}
	for _, address := range []string{"192.0.2.1:8883", "[2001:db8::1]:8883", "10.0.0.1:8883", "[::ffff:192.0.2.1]:8883"} {
		l.Address = address
		if _, err := l.Run(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "is not on this machine") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"127.0.0.1:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.2]:1"} {
		if err := onThisMachine(t.Context(), address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestSilentSockets has a server that closes some at once, and never the others.
func TestSilentSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct{ closed, left int }{{5, 0}, {2, 3}} {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := openSilent(ctx, l.Addr().String(), tt.closed+tt.left)
		if err != nil {
			t.Fatal(err)
		}
		for i := range tt.closed + tt.left {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if i < tt.closed {
				c.Close()
			}
			defer c.Close()
		}
		if tt.left > 0 {
			for s.ended() < tt.closed {
				<-time.After(time.Millisecond)
			}
			cancel()
		}
		if longest, left := s.gone(); left != tt.left || longest <= 0 {
			t.Errorf("%d closed: %d are left, after %v", tt.closed, left, longest)
		}
		cancel()
	}
}

func (s *silent) ended() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

func TestFigures(t *testing.T) {
	floor := &Result{Server: "bare", Connects: 1000, ConnectCPU: 280, ConnectOwn: 320, Memory: 20, Steps: []Step{{Rate: 5000, CPU: 35, P99: 1}}}
	ours := &Result{Server: "gateway", Connects: 810, ConnectCPU: 429, ConnectOwn: 320, Memory: 36.04, Steps: []Step{{Rate: 5000, CPU: 70.6, P99: 40.1}}}
	ours.HalfOpen = &HalfOpen{Sockets: 7, Without: Step{P99: 30}, Beside: Step{P99: 36}, Gone: 10.04}
	floor.HalfOpen = ours.HalfOpen
	got := map[string]bool{}
	for _, f := range Figures(floor, ours) {
		if f.Met != nil {
			got[f.Name] = *f.Met
		}
	}
	want := map[string]bool{
		"connects a second": true, "connects a second that the CPUs allow": true, "memory a connection after publishing, KiB": true,
		"CPU a message at 5000/s, µs": false, "PUBACK p99 at 5000/s, ms": false,
		"the second p99 to the first": true, "all 7 half-open sockets gone after, s": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ours.Connects, ours.Memory = 790, 0
	for _, f := range Figures(nil, ours) {
		if f.Floor != nil || f.Name == "memory a connection after publishing, KiB" && (f.Met != nil || f.Ours != nil) {
			t.Errorf("a figure that is not known: %+v", f)
		}
	}
	if f := Figures(floor, ours)[0]; *f.Met {
		t.Errorf("79 %% of the floor will do: %+v", f)
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0.123: "0.12", 9.5: "9.50", 10.04: "10.0", 99.5: "99.5", 100: "100", 20_000.4: "20000"} {
		if got := number(&v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	if got := number(nil); got != "–" {
		t.Errorf("what is not known: %s", got)
	}
}
