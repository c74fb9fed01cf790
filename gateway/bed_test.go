package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var seed = gateway.RegistryKey{Project: "project-1", Location: "us-central1", Registry: "RaspberryPiDevices"}

// store is a fleet in memory, that can be made to fail or to hang.
type store struct {
	mu         sync.Mutex
	fault      error
	hang       bool
	asked      int
	next       uint64
	registries map[gateway.RegistryKey]*gateway.Registry
	devices    map[gateway.DeviceKey]*gateway.Device // by name
	bound      map[[2]uint64]bool
	states     map[uint64][]byte
	signs      map[uint64]gateway.Sign
	changes    chan gateway.Change
	answering  func() // before a device is answered
}

func newStore() *store {
	return &store{
		next: 2_500_000_000_000_000, registries: map[gateway.RegistryKey]*gateway.Registry{}, devices: map[gateway.DeviceKey]*gateway.Device{},
		bound: map[[2]uint64]bool{}, states: map[uint64][]byte{}, signs: map[uint64]gateway.Sign{}, changes: make(chan gateway.Change),
	}
}

func (s *store) add(key gateway.RegistryKey, name string, credentials ...gateway.Credential) *gateway.Device {
	if s.registries[key] == nil {
		s.registries[key] = &gateway.Registry{
			Key: key, MQTT: true, HTTP: true, StateTopic: "state", Authorities: []string{"a CA"},
			Routes: []gateway.Route{{SubFolder: "temperature", Topic: "temperature"}, {Topic: "sensordata"}, {SubFolder: "late", Topic: "never"}},
		}
	}
	s.next++
	d := &gateway.Device{
		Key: gateway.DeviceKey{RegistryKey: key, Device: name}, Number: s.next, Credentials: credentials,
		Metadata: map[string]string{"secret": "x"}, Config: gateway.Config{Data: []byte("x")},
	}
	s.devices[d.Key] = d
	return d
}

// change changes what is stored.
func (s *store) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *store) ask(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.hang {
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.fault
}

func (s *store) Lookup(ctx context.Context, key gateway.DeviceKey) (*gateway.Registry, *gateway.Device, error) {
	if err := s.ask(ctx); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	r, ok := s.registries[key.RegistryKey]
	if !ok {
		s.mu.Unlock()
		return nil, nil, gateway.ErrNotFound
	}
	of := *r
	var read *gateway.Device
	for _, d := range s.devices {
		if d.Key.RegistryKey == key.RegistryKey && (d.Key.Device == key.Device || d.Num() == key.Device) {
			found := *d
			read = &found
		}
	}
	answering := s.answering
	s.mu.Unlock()
	if answering != nil {
		answering()
	}
	if read == nil {
		return &of, nil, gateway.ErrNotFound
	}
	return &of, read, nil
}

func (s *store) Bound(ctx context.Context, gw, device uint64) (bool, error) {
	err := s.ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound[[2]uint64{gw, device}], err
}

func (s *store) SetState(ctx context.Context, device uint64, data []byte, _ time.Time) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[device] = data
	return nil
}

func (s *store) Note(ctx context.Context, signs []gateway.Sign) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sign := range signs {
		s.signs[sign.Device] = sign
	}
	return nil
}

func (s *store) Watch(ctx context.Context, changed func(gateway.Change)) error {
	for {
		select {
		case c := <-s.changes:
			changed(c)
		case <-ctx.Done():
			return nil
		}
	}
}

func (*store) Config(context.Context, uint64) (gateway.Config, error) {
	return gateway.Config{}, errors.ErrUnsupported
}

func (*store) ConfigAcked(context.Context, uint64, int64, time.Time) error {
	return errors.ErrUnsupported
}

// bus is the store's part that tells of changes.
type bus struct {
	gateway.Bus
	*store
}

func (b bus) Watch(ctx context.Context, changed func(gateway.Change)) error {
	return b.store.Watch(ctx, changed)
}

// topics keeps what is published.
type topics struct {
	mu   sync.Mutex
	sent []sent
}

type sent struct {
	topic      string
	attributes []gateway.Attribute
	data       string
}

func (p *topics) Publish(topic string, attributes []gateway.Attribute, data []byte, done func(error)) {
	p.mu.Lock()
	p.sent = append(p.sent, sent{topic, attributes, string(data)})
	p.mu.Unlock()
	done(nil)
}

// bed is a bridge over a store, running until the test ends.
type bed struct {
	*gateway.Bridge
	store  *store
	topics *topics
	stop   func()
}

func newBed() *bed {
	s, p := newStore(), &topics{}
	b := &bed{Bridge: &gateway.Bridge{
		Directory: s, Mailbox: s, Bus: bus{store: s}, Verifier: &auth.Verifier{}, Publisher: p, Instance: "here",
	}, store: s, topics: p}
	b.stop = func() {}
	return b
}

func (b *bed) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
}

// keypair is a device's.
type keypair struct {
	private *ecdsa.PrivateKey
	gateway.Credential
}

func newKey() *keypair {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		panic(err)
	}
	return &keypair{private, gateway.Credential{
		Format: gateway.ES256PEM,
		PEM:    string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	}}
}

// token is one for an hour.
func (k *keypair) token(project string) []byte {
	now := time.Now()
	text, err := jwt.NewWithClaims(jwt.SigningMethodES256,
		jwt.MapClaims{"aud": project, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}).SignedString(k.private)
	if err != nil {
		panic(err)
	}
	return []byte(text)
}

func (b *bed) admit(registry gateway.RegistryKey, device string, token []byte) (*gateway.Admission, error) {
	return b.Admit(context.Background(), gateway.Attempt{Key: gateway.DeviceKey{RegistryKey: registry, Device: device}, Token: token})
}

// why is the refusal's reason; "" when it is none.
func why(t *testing.T, err error) gateway.Reason {
	t.Helper()
	var r *gateway.Refusal
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &r):
		t.Fatalf("%v is no refusal", err)
	case r.Fault != (r.Reason == gateway.StoreFault):
		t.Errorf("%s is a fault: %v", r.Reason, r.Fault)
	}
	return r.Reason
}

// pass lets so much time of the bubble go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
