package mqtt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iotbridge/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The real parts fit.
var (
	_ Bridge  = (*gateway.Bridge)(nil)
	_ Mailbox = gateway.Mailbox(nil)
	_ Bus     = gateway.Bus(nil)
)

var registryKey = gateway.RegistryKey{Project: "project-1", Location: "us-central1", Registry: "RaspberryPiDevices"}

// event is a telemetry message or a state that the house took.
type event struct {
	device, via, folder, data string
}

// house is Bridge, Mailbox and Bus in memory. A device's token is its name and "'s".
type house struct {
	mu       sync.Mutex
	devices  map[string]*gateway.Device
	numbers  map[uint64]string
	registry *gateway.Registry
	bound    map[string]bool // gateway/device
	expires  time.Duration
	down     bool // the store does not answer

	taken, states []event
	signs         []gateway.Sign
	take          func(e event, done func(error)) // nil: Pub/Sub confirms at once
	delay         func(bytes int) time.Duration

	configs map[uint64]gateway.Config
	acked   map[uint64]int64

	claims   map[uint64]claim
	released []uint64
	watchers []func(gateway.Change)
	watched  chan struct{} // closed by the first
	answers  map[string]error
	epoch    int64
}

type claim struct {
	instance string
	epoch    int64
}

// newHouse has devices device1 to device9, numbers 1000000000000001 and on, and the
// gateways gateway1 and gateway2.
func newHouse() *house {
	h := &house{
		devices: map[string]*gateway.Device{}, numbers: map[uint64]string{}, bound: map[string]bool{},
		registry: &gateway.Registry{Key: registryKey, MQTT: true}, expires: time.Hour,
		configs: map[uint64]gateway.Config{}, acked: map[uint64]int64{}, claims: map[uint64]claim{}, answers: map[string]error{},
		watched: make(chan struct{}),
	}
	for i := range uint64(9) {
		h.add(fmt.Sprint("device", i+1), 1_000_000_000_000_001+i, false)
	}
	h.add("gateway1", 2_000_000_000_000_001, true)
	h.add("gateway2", 2_000_000_000_000_002, true)
	return h
}

func (h *house) add(name string, number uint64, isGateway bool) {
	h.devices[name] = &gateway.Device{Key: gateway.DeviceKey{RegistryKey: registryKey, Device: name}, Number: number, IsGateway: isGateway}
	h.numbers[number] = name
	h.configs[number] = gateway.Config{Version: 1}
}

func refuse(r gateway.Reason) error { return &gateway.Refusal{Reason: r} }

var errStore = &gateway.Refusal{Reason: gateway.StoreFault, Fault: true}

func (h *house) find(name string) *gateway.Device {
	if n, err := strconv.ParseUint(name, 10, 64); err == nil {
		name = h.numbers[n]
	}
	return h.devices[name]
}

func (h *house) Admit(_ context.Context, a gateway.Attempt) (*gateway.Admission, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.find(a.Key.Device)
	switch {
	case h.down:
		return nil, errStore
	case a.Key.RegistryKey != registryKey:
		return nil, refuse(gateway.UnknownRegistry)
	case d == nil:
		return nil, refuse(gateway.UnknownDevice)
	case string(a.Token) != d.Key.Device+"'s":
		return nil, refuse(gateway.BadSignature)
	case d.Blocked:
		return nil, refuse(gateway.Blocked)
	}
	return &gateway.Admission{Device: d, Registry: h.registry, Expires: time.Now().Add(h.expires)}, nil
}

func (h *house) Attach(_ context.Context, via *gateway.Admission, device string, token []byte) (*gateway.Admission, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.find(device)
	switch {
	case h.down:
		return nil, errStore
	case !via.Device.IsGateway:
		return nil, refuse(gateway.NotAGateway)
	case d == nil:
		return nil, refuse(gateway.UnknownDevice)
	case len(token) > 0 && string(token) != "token-of-"+d.Key.Device:
		return nil, refuse(gateway.BadSignature)
	case len(token) == 0 && !h.bound[via.Device.Key.Device+"/"+d.Key.Device]:
		return nil, refuse(gateway.NotAttachable)
	}
	return &gateway.Admission{Device: d, Registry: h.registry, Expires: via.Expires, Credential: -1, Via: via.Device}, nil
}

func (h *house) Still(_ context.Context, a *gateway.Admission) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[a.Device.Key.Device]
	switch {
	case h.down:
		return errStore
	case d == nil || d.Number != a.Device.Number:
		return refuse(gateway.UnknownDevice)
	case d.Blocked:
		return refuse(gateway.Blocked)
	case a.Via != nil && !h.bound[a.Via.Key.Device+"/"+d.Key.Device]:
		return refuse(gateway.NotAttachable)
	case !h.registry.MQTT:
		return refuse(gateway.ProtocolDisabled)
	}
	return nil
}

func heard(a *gateway.Admission, folder string, data []byte) event {
	e := event{device: a.Device.Key.Device, folder: folder, data: string(data)}
	if a.Via != nil {
		e.via = a.Via.Key.Device
	}
	return e
}

func (h *house) Telemetry(a *gateway.Admission, folder string, data []byte, done func(error)) {
	e := heard(a, folder, data)
	h.mu.Lock()
	take := h.take
	if take == nil {
		h.taken = append(h.taken, e)
	}
	h.mu.Unlock()
	if take != nil {
		take(e, done)
		return
	}
	done(nil)
}

func (h *house) Delay(_ *gateway.Admission, bytes int) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.delay == nil {
		return 0
	}
	return h.delay(bytes)
}

func (h *house) SetState(_ context.Context, a *gateway.Admission, data []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.down:
		return errStore
	case len(data) > gateway.MaxState:
		return gateway.ErrTooLarge
	}
	h.states = append(h.states, heard(a, "", data))
	return nil
}

func (h *house) Note(s gateway.Sign) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signs = append(h.signs, s)
}

func (h *house) Config(_ context.Context, device uint64) (gateway.Config, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return gateway.Config{}, errors.New("down")
	}
	return h.configs[device], nil
}

func (h *house) ConfigAcked(_ context.Context, device uint64, version int64, _ time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked[device] = version
	return nil
}

// Watch gives every watcher every change, and commands to the holder's alone.
func (h *house) Watch(ctx context.Context, changed func(gateway.Change)) error {
	h.mu.Lock()
	if h.watchers = append(h.watchers, changed); len(h.watchers) == 1 {
		close(h.watched)
	}
	h.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (h *house) tell(c gateway.Change) {
	h.mu.Lock()
	watchers := h.watchers
	h.mu.Unlock()
	for _, changed := range watchers {
		changed(c)
	}
}

func (h *house) Claim(_ context.Context, device uint64, instance string) (int64, error) {
	h.mu.Lock()
	if h.down {
		h.mu.Unlock()
		return 0, errors.New("down")
	}
	h.epoch++
	epoch := h.epoch
	h.claims[device] = claim{instance, epoch}
	h.mu.Unlock()
	h.tell(gateway.Change{Kind: gateway.Claimed, Device: device, Instance: instance, Epoch: epoch})
	return epoch, nil
}

func (h *house) Release(_ context.Context, device uint64, epoch int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released = append(h.released, device)
	if h.claims[device].epoch == epoch {
		delete(h.claims, device)
	}
	return nil
}

func (h *house) Holder(_ context.Context, device uint64) (string, int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.claims[device]
	if !ok {
		return "", 0, gateway.ErrNotConnected
	}
	return c.instance, c.epoch, nil
}

func (h *house) Answer(_ context.Context, command string, err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers[command] = err
	return nil
}

// site is a server that runs, and the house behind it.
type site struct {
	*house
	*Server
	t      testing.TB
	listen net.Listener
	stop   context.CancelFunc
	ended  chan struct{}
}

// open starts a server on loopback. change may alter it before.
func open(t testing.TB, change func(*Server)) *site {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := openOn(t, l, newHouse(), change)
	<-s.watched
	return s
}

func openOn(t testing.TB, l net.Listener, h *house, change func(*Server)) *site {
	s := &site{
		house: h, t: t, listen: l, ended: make(chan struct{}),
		Server: &Server{Bridge: h, Mailbox: h, Bus: h, Instance: "gateway-a", TLS: serverTLS()},
	}
	if change != nil {
		change(s.Server)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	var running sync.WaitGroup
	for _, run := range []func() error{func() error { return s.Serve(ctx, l) }, func() error { return s.Run(ctx) }} {
		running.Go(func() {
			if err := run(); err != nil {
				t.Error(err)
			}
		})
	}
	go func() { running.Wait(); close(s.ended) }()
	t.Cleanup(s.end)
	return s
}

func (s *site) end() {
	s.stop()
	<-s.ended
}

var authority = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway.test"}, DNSNames: []string{"gateway.test"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

func serverTLS() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{authority()}} }

func clientTLS() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(authority().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "gateway.test"}
}
