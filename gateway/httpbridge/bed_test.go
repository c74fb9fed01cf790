package httpbridge

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
	"iotbridge/gateway/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var seed = gateway.RegistryKey{Project: "project-1", Location: "us-central1", Registry: "RaspberryPiDevices"}

// topics is a Pub/Sub that confirms at once, or does what take says.
type topics struct {
	mu   sync.Mutex
	sent []sent
	take func(sent, func(error))
}

type sent struct {
	topic      string
	attributes map[string]string
	data       string
}

func (p *topics) Publish(topic string, attributes []gateway.Attribute, data []byte, done func(error)) {
	s := sent{topic, map[string]string{}, string(data)}
	for _, a := range attributes {
		s.attributes[a.Key] = a.Value
	}
	p.mu.Lock()
	take := p.take
	p.sent = append(p.sent, s)
	p.mu.Unlock()
	if take != nil {
		take(s, done)
		return
	}
	done(nil)
}

func (p *topics) all() []sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// site is a server over a real registry, and devices that may speak.
type site struct {
	t       testing.TB
	store   *registry.Store
	topics  *topics
	server  *Server
	bridge  *gateway.Bridge
	address string
	client  *http.Client
	stop    func()
}

// device is one with its key, or with none that is registered.
type device struct {
	*gateway.Device
	private *ecdsa.PrivateKey
}

func open(t testing.TB, change func(*Server)) *site {
	t.Helper()
	store, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, store: store, topics: &topics{}}
	s.bridge = &gateway.Bridge{Directory: store, Mailbox: store, Bus: store, Verifier: &auth.Verifier{}, Publisher: s.topics, Instance: "here", Limiter: gateway.NewLimiter()}
	s.server = &Server{Bridge: s.bridge, Mailbox: store, Directory: store, TLS: &tls.Config{Certificates: []tls.Certificate{authority()}}}
	if change != nil {
		change(s.server)
	}
	s.registry(seed)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(ctx, l) }()
	s.client = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: clientTLS(), DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.stop = sync.OnceFunc(func() {
		s.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

func (s *site) registry(key gateway.RegistryKey) {
	s.t.Helper()
	r := &gateway.Registry{Key: key, MQTT: true, HTTP: true, Routes: []gateway.Route{
		{SubFolder: "temperature", Topic: "projects/project-1/topics/temperature"}, {Topic: "projects/project-1/topics/sensordata"},
	}}
	if _, err := s.store.CreateRegistry(s.t.Context(), "test", r); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) add(key gateway.RegistryKey, name string) *device {
	s.t.Helper()
	return s.register(&gateway.Device{Key: gateway.DeviceKey{RegistryKey: key, Device: name}})
}

// register makes a device, and a key for it.
func (s *site) register(d *gateway.Device) *device {
	s.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		s.t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	d.Credentials = []gateway.Credential{{Format: gateway.ES256PEM, PEM: string(text)}}
	made, err := s.store.CreateDevice(s.t.Context(), "test", d)
	if err != nil {
		s.t.Fatal(err)
	}
	return &device{made, private}
}

// token is one for an hour, unless claims say otherwise.
func (d *device) token(claims ...any) string {
	now := time.Now()
	m := jwt.MapClaims{"aud": d.Key.Project, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for i := 0; i+1 < len(claims); i += 2 {
		m[claims[i].(string)] = claims[i+1]
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodES256, m).SignedString(d.private)
	if err != nil {
		panic(err)
	}
	return text
}

// call sends a request as the device; headers come in pairs.
func (s *site) call(d *device, method, path, body string, headers ...string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.address+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	if d != nil {
		r.Header.Set("Authorization", "Bearer "+d.token())
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header[http.CanonicalHeaderKey(headers[i])] = append(r.Header[http.CanonicalHeaderKey(headers[i])], headers[i+1])
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(bytes.TrimSpace(text))
}

func (s *site) publish(d *device, body string, headers ...string) (int, string) {
	s.t.Helper()
	return s.call(d, http.MethodPost, "/v1/"+d.Key.String()+":publishEvent", body, headers...)
}

// expect checks an answer: the HTTP code, and the name of a google.rpc error, or
// else the whole body.
func expect(t testing.TB, what string, code int, body string, wantCode int, want string) {
	t.Helper()
	got := body
	if code != http.StatusOK {
		var e struct {
			Error struct {
				Code            int
				Message, Status string
			}
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Code != code || e.Error.Message == "" {
			t.Errorf("%s: %d %q is no google.rpc error", what, code, body)
		}
		got = e.Error.Status
	}
	if code != wantCode || got != want {
		t.Errorf("%s: %d %s, want %d %s", what, code, body, wantCode, want)
	}
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

func clientTLS() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(authority().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "gateway.test"}
}
