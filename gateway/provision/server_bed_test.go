package provision_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/registry"
)

var fleet = gateway.RegistryKey{Project: "project-1", Location: "us-central1", Registry: "RaspberryPiDevices"}

// site is a server over a real desk and a real store, as boards reach it.
type site struct {
	t         *testing.T
	dir       string
	store     *registry.Store
	office    *registry.Provisioning
	desk      *provision.Desk
	server    *provision.Server
	metrics   *prometheus.Registry
	logged    *observer.ObservedLogs
	address   string
	gateway   *root // issues the server's certificate
	bootstrap *root
	devices   *provision.Authority
}

// open serves the profile batch: boards that the bootstrap authority's certificates ask for.
func open(t *testing.T, change func(*provision.Profile)) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), gateway: newRoot(t, "gateway"), bootstrap: newRoot(t, "bootstrap"), devices: newDevices(t), metrics: prometheus.NewRegistry()}
	core, logged := observer.New(zap.DebugLevel)
	s.logged = logged
	var err error
	if s.store, err = registry.Open(t.Context(), "sqlite:"+filepath.Join(s.dir, "registry.db"), registry.Options{Log: zap.New(core)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.CreateRegistry(t.Context(), "test", &gateway.Registry{Key: fleet, MQTT: true, HTTP: true}); err != nil {
		t.Fatal(err)
	}
	s.office = s.store.Provisioning()
	s.profile("batch", s.bootstrap, change)
	s.desk = &provision.Desk{Store: s.office, Authority: s.devices, Metrics: provision.NewMetrics(s.metrics), Log: zap.New(core)}
	s.server = provision.NewServer(s.desk)
	s.server.Log, s.server.Metrics = zap.New(core), provision.NewRequestMetrics(s.metrics)
	s.server.MQTT, s.server.HTTP = provision.Endpoint{Host: "mqtt.example.com", Port: 8883}, provision.Endpoint{Port: 8443}

	https := httptest.NewUnstartedServer(s.server)
	https.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert,
		Certificates: []tls.Certificate{s.gateway.issue(t, &x509.Certificate{DNSNames: []string{"gateway.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})},
	}
	https.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	https.StartTLS()
	s.address = https.Listener.Addr().String()
	t.Cleanup(func() {
		https.Close()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// profile makes one whose boards an authority's certificates ask for.
func (s *site) profile(id string, by *root, change func(*provision.Profile)) {
	s.t.Helper()
	p := &provision.Profile{
		ID: id, Registry: fleet, DeviceID: "d-{serial}", KeyMode: provision.KeyOnEither, Again: provision.AgainRefuse, Lifetime: provision.Duration(365 * 24 * time.Hour),
		Bootstrap: []provision.Bootstrap{by.pin()},
	}
	if change != nil {
		change(p)
	}
	if _, err := s.office.PutProfile(s.t.Context(), "test", p); err != nil {
		s.t.Fatal(err)
	}
}

// client is one that shows a certificate; nil: none.
func (s *site) client(own *tls.Certificate) *http.Client {
	config := &tls.Config{RootCAs: s.gateway.pool(), ServerName: "gateway.test"}
	if own != nil {
		config.Certificates = []tls.Certificate{*own}
	}
	transport := &http.Transport{TLSClientConfig: config, DisableCompression: true}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// board is one of the site's, with the certificate that it came with.
type board struct {
	*site
	*http.Client
	serial string
}

func (s *site) board(serial string) *board {
	own := s.bootstrap.issue(s.t, forClients())
	return &board{s, s.client(&own), serial}
}

// reply is an answer that has been read.
type reply struct {
	code   int
	header http.Header
	body   string
}

// call sends a request; headers come in pairs.
func (s *site) call(c *http.Client, method, path string, body []byte, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.address, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if r.URL, err = url.Parse("https://" + s.address + path); err != nil {
		s.t.Fatal(err)
	}
	if body == nil {
		r.Body, r.GetBody = http.NoBody, nil
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return s.do(c, r)
}

func (s *site) do(c *http.Client, r *http.Request) reply {
	s.t.Helper()
	res, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

// root is an authority of tests.
type root struct {
	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newRoot(t testing.TB, name string) *root {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-240 * time.Hour), NotAfter: time.Now().Add(20 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &root{leaf, key}
}

func newDevices(t testing.TB) *provision.Authority {
	t.Helper()
	key := newKey(t)
	der, err := provision.NewRoot(provision.ForDevice, "devices", key, time.Now(), 20*365*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &provision.Authority{Purpose: provision.ForDevice, Certificate: leaf, Signer: key}
}

// issued is a device's certificate, of which no claim knows.
func issued(t testing.TB, by *provision.Authority, device string) *tls.Certificate {
	t.Helper()
	key := newKey(t)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	der, err := by.Issue(provision.Leaf{CommonName: device, PublicKey: spki, Lifetime: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (r *root) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.leaf)
	return pool
}

// pin names the authority in a profile.
func (r *root) pin() provision.Bootstrap {
	return provision.Bootstrap{Name: r.leaf.Subject.CommonName, Authority: armoured("CERTIFICATE", r.leaf.Raw)}
}

func forClients() *x509.Certificate {
	return &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// issue makes a certificate and a key for it; times that the template does not say are
// those of one in force.
func (r *root) issue(t testing.TB, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key := newKey(t)
	return tls.Certificate{Certificate: [][]byte{r.sign(t, template, key)}, PrivateKey: key}
}

func (r *root) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.KeyUsage = number, x509.KeyUsageDigitalSignature
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	if template.Subject.CommonName == "" {
		template.Subject.CommonName = "batch 7"
	}
	der, err := x509.CreateCertificate(rand.Reader, template, r.leaf, key.Public(), r.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// csr is a board's, in DER: its serial in the subject, its MACs as URIs.
func csr(t testing.TB, key *ecdsa.PrivateKey, serial string, macs ...string) []byte {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: serial}}}}
	for _, mac := range macs {
		template.URIs = append(template.URIs, &url.URL{Scheme: "urn", Opaque: "dev:mac:" + strings.ReplaceAll(mac, ":", "")})
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// claims are all that the store has of the profile.
func (s *site) claims(profile string) []*provision.Claim {
	s.t.Helper()
	all, _, err := s.office.Claims(context.WithoutCancel(s.t.Context()), profile, "", gateway.Page{Size: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// scrape is what Prometheus is told.
func (s *site) scrape() string {
	s.t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), "GET", "/metrics", nil))
	return w.Body.String()
}
