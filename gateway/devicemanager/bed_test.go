package devicemanager_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	iot "cloud.google.com/go/iot/apiv1"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/api/cloudiot/v1"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"iotbridge/gateway"
	"iotbridge/gateway/devicemanager"
	"iotbridge/gateway/operators"
	"iotbridge/gateway/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	location = "projects/my-project/locations/us-central1"
	seed     = location + "/registries/RaspberryPiDevices"
	other    = location + "/registries/OtherDevices"
)

// The operators' tokens.
const (
	admin  = "the token of the admin"
	viewer = "the token of the viewer"
	plant  = "the token of who has the seed's registry only"
)

// bed is a Device Manager over a store of its own, behind TLS.
type bed struct {
	*devicemanager.Server
	store *registry.Store
	log   *observer.ObservedLogs
	url   string // of REST
	grpc  string // host:port
	ca    authority
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{store: openStore(t), ca: newAuthority("the servers' authority")}
	file := filepath.Join(t.TempDir(), "operators")
	lines := operators.Operator{Name: "ada", Role: operators.Admin}.Line(admin) +
		operators.Operator{Name: "vera", Role: operators.Viewer}.Line(viewer) +
		operators.Operator{Name: "pia", Role: operators.Admin, Within: seed}.Line(plant) +
		"prober viewer certificate\n"
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := operators.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	core, observed := observer.New(zapcore.DebugLevel)
	b.log = observed
	b.Server = &devicemanager.Server{Admin: b.store, Bus: b.store, Operators: list, Metrics: devicemanager.NewMetrics(nil), Log: zap.New(core)}

	pool := x509.NewCertPool()
	pool.AddCert(b.ca.cert)
	config := &tls.Config{Certificates: []tls.Certificate{b.ca.issue("localhost")}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
	rest := httptest.NewUnstartedServer(b.Handler())
	rest.TLS = config.Clone()
	rest.StartTLS()
	t.Cleanup(rest.Close)
	b.url = rest.URL

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := b.GRPC(grpc.Creds(credentials.NewTLS(config)))
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(listener) }()
	t.Cleanup(func() {
		g.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	b.grpc = listener.Addr().String()
	return b
}

func openStore(t testing.TB) *registry.Store {
	t.Helper()
	store, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// clientTLS trusts the servers, and shows the certificates.
func (b *bed) clientTLS(certs ...tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(b.ca.cert)
	return &tls.Config{RootCAs: pool, Certificates: certs, ServerName: "localhost"}
}

type bearer struct {
	token string
	http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.RoundTripper.RoundTrip(r)
}

// perCall is a token as gRPC clients bring it.
type perCall string

func (p perCall) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(p)}, nil
}
func (p perCall) RequireTransportSecurity() bool { return true }

// http is a client that brings a token, "" for none, and certificates.
func (b *bed) http(t testing.TB, token string, certs ...tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: b.clientTLS(certs...)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: bearer{token, transport}}
}

// The stock clients, with an endpoint and a credential.

func (b *bed) overGRPC(t testing.TB, token string, certs ...tls.Certificate) *iot.DeviceManagerClient {
	t.Helper()
	conn := b.dial(t, token, certs...)
	c, err := iot.NewDeviceManagerClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dial is a bare connection.
func (b *bed) dial(t testing.TB, token string, certs ...tls.Certificate) *grpc.ClientConn {
	t.Helper()
	dial := []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(b.clientTLS(certs...)))}
	if token != "" {
		dial = append(dial, grpc.WithPerRPCCredentials(perCall(token)))
	}
	conn, err := grpc.NewClient("passthrough:///"+b.grpc, dial...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (b *bed) overREST(t testing.TB, token string) *iot.DeviceManagerClient {
	t.Helper()
	c, err := iot.NewDeviceManagerRESTClient(t.Context(), option.WithEndpoint(b.url), option.WithHTTPClient(b.http(t, token)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (b *bed) cloudiot(t testing.TB, token string) *cloudiot.ProjectsLocationsRegistriesService {
	t.Helper()
	c, err := cloudiot.NewService(t.Context(), option.WithEndpoint(b.url), option.WithHTTPClient(b.http(t, token)))
	if err != nil {
		t.Fatal(err)
	}
	return c.Projects.Locations.Registries
}

// do sends one raw request, and returns what came.
func (b *bed) do(t testing.TB, token, method, path, body string, certs ...tls.Certificate) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.http(t, token, certs...).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// connect makes a device that is connected and subscribed, and answers commands.
func (b *bed) connect(t testing.TB, device uint64, answer func(gateway.Command) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	seen, ended := make(chan struct{}, 64), make(chan error, 1)
	go func() {
		ended <- b.store.Watch(ctx, func(c gateway.Change) {
			switch {
			case c.Kind == gateway.Claimed:
				seen <- struct{}{}
			case c.Kind == gateway.CommandSent && c.Device == device:
				if err := b.store.Answer(ctx, c.Command.ID, answer(*c.Command)); err != nil {
					t.Error(err)
				}
			}
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for { // a claim over another is told to who watches
		if _, err := b.store.Claim(ctx, device, "here"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-seen:
			return
		case <-again.C:
		}
	}
}

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  string
}

func newAuthority(name string) authority {
	key := newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	cert, text := certify(template, template, key.Public(), key)
	return authority{cert, key, text}
}

// issue makes a certificate for a server, a client, or a device.
func (a authority) issue(name string) tls.Certificate {
	key := newKey()
	cert, _ := certify(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a authority) issuePEM(name string) string {
	return asPEM("CERTIFICATE", a.issue(name).Certificate[0])
}

func certify(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, string) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert, asPEM("CERTIFICATE", der)
}

func newKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// publicPEM is a new device's key.
func publicPEM() string {
	der, err := x509.MarshalPKIXPublicKey(newKey().Public())
	if err != nil {
		panic(err)
	}
	return asPEM("PUBLIC KEY", der)
}

func asPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func zapMethod(name string) zap.Field { return zap.String("method", name) }
