package enroll

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"
	"go.uber.org/zap"
)

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key}
	a.certificate = a.sign(t, &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(20 * year)}, key.Public())
	return a
}

const year = 365 * 24 * time.Hour

func (a *authority) sign(t testing.TB, c *x509.Certificate, key any) *x509.Certificate {
	t.Helper()
	c.NotBefore, c.BasicConstraintsValid = time.Now().Add(-24*time.Hour), true
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(10 * year)
	}
	if c.Subject.CommonName == "" {
		c.Subject.CommonName = "of the tests"
	}
	parent := a.certificate
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (a *authority) pair(t testing.TB, c *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{a.sign(t, c, key.Public()).Raw}, PrivateKey: key}
}

// asked is one request as it came.
type asked struct {
	path string
	spki string // of the certificate that was shown
	key  string // of the CSR
	body map[string]any
}

// gateway speaks the contract: the same key gets the same answer, another one for the
// same serial 409.
type gateway struct {
	t        *testing.T
	url      string
	server   *authority
	devices  *authority
	first    tls.Certificate // the bootstrap certificate
	lifetime time.Duration
	now      func() time.Time

	// instead answers in the gateway's place when it returns true; lose drops the answer
	// that was made.
	instead func(w http.ResponseWriter, n int) bool
	lose    func(n int) bool
	change  func(members map[string]any) // of a grant

	mu     sync.Mutex
	asked  []asked
	claims map[string][]*x509.Certificate // by serial
	other  bool                           // another key replaces the one before
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, server: newAuthority(t), devices: newAuthority(t), lifetime: year, now: time.Now, claims: map[string][]*x509.Certificate{}}
	bootstrap := newAuthority(t)
	g.first = bootstrap.pair(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	s := httptest.NewUnstartedServer(http.HandlerFunc(g.serve))
	s.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{
		g.server.pair(t, &x509.Certificate{DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}),
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	g.url = "https://localhost:" + port
	return g
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	text, err := io.ReadAll(r.Body)
	if err != nil || len(r.TLS.PeerCertificates) == 0 {
		problem(w, 401, "NO_CLIENT_CERTIFICATE")
		return
	}
	shown := r.TLS.PeerCertificates[0]
	in := asked{path: r.URL.Path, spki: string(shown.RawSubjectPublicKeyInfo)}
	n := len(g.asked)
	defer func() { g.asked = append(g.asked, in) }()
	if g.instead != nil && g.instead(w, n) {
		return
	}
	var csr *x509.CertificateRequest
	serial := shown.Subject.SerialNumber
	switch r.URL.Path {
	case "/v1/provisioning/batch:enroll":
		if json.Unmarshal(text, &in.body) != nil {
			problem(w, 400, "BAD_REQUEST")
			return
		}
		block, _ := pem.Decode([]byte(in.body["csr"].(string)))
		csr, err = x509.ParseCertificateRequest(block.Bytes)
		serial = in.body["identifiers"].(map[string]any)["serialNumber"].(string)
	case "/.well-known/est/batch/simplereenroll":
		var der []byte
		if der, err = base64.StdEncoding.DecodeString(string(text)); err == nil {
			csr, err = x509.ParseCertificateRequest(der)
		}
	}
	if err != nil || csr != nil && csr.CheckSignature() != nil {
		problem(w, 400, "BAD_CSR")
		return
	}
	if csr != nil {
		in.key = string(csr.RawSubjectPublicKeyInfo)
	}
	known := g.claims[serial]
	if csr == nil || strings.HasSuffix(r.URL.Path, "simplereenroll") {
		if !g.knows(known, in.spki) {
			problem(w, 403, "DENIED")
			return
		}
	} else if len(known) > 0 && !g.knows(known, in.key) && !g.other {
		problem(w, 409, "ALREADY_PROVISIONED")
		return
	}
	if csr != nil && !g.knows(known, in.key) {
		known = append(known, g.devices.sign(g.t, &x509.Certificate{
			Subject: pkix.Name{CommonName: "d-" + serial, SerialNumber: serial}, NotAfter: g.now().Add(g.lifetime),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}, csr.PublicKey))
		g.claims[serial] = known
	}
	if g.lose != nil && g.lose(n) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			g.t.Error(err)
			return
		}
		conn.Close()
		return
	}
	g.grant(w, r, serial, known[len(known)-1])
}

func (g *gateway) knows(all []*x509.Certificate, spki string) bool {
	for _, c := range all {
		if string(c.RawSubjectPublicKeyInfo) == spki {
			return true
		}
	}
	return false
}

func (g *gateway) grant(w http.ResponseWriter, r *http.Request, serial string, leaf *x509.Certificate) {
	if strings.HasSuffix(r.URL.Path, "simplereenroll") {
		der, err := pkcs7.DegenerateCertificate(leaf.Raw)
		if err != nil {
			g.t.Error(err)
		}
		text := base64.StdEncoding.EncodeToString(der)
		w.Header().Set("Content-Type", "application/pkcs7-mime; smime-type=certs-only")
		io.WriteString(w, text[:64]+"\n"+text[64:]+"\n")
		return
	}
	begin := leaf.NotAfter.Add(-g.lifetime)
	members := map[string]any{
		"requestId": "r", "certificate": armour(blockCertificate, leaf.Raw), "caCertificates": []string{armour(blockCertificate, g.devices.certificate.Raw)},
		"device": map[string]any{
			"projectId": "project-1", "location": "us-central1", "registryId": "fleet", "deviceId": "d-" + serial, "numId": "2577321808646966",
			"name": "projects/project-1/locations/us-central1/registries/fleet/devices/d-" + serial,
		},
		"mqtt": map[string]any{"host": "mqtt.example.com", "port": 8884}, "http": map[string]any{"host": "mqtt.example.com", "port": 8443},
		"notAfter": leaf.NotAfter, "renewAfter": begin.Add(g.lifetime * 2 / 3),
	}
	if g.change != nil {
		g.change(members)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	if err := json.NewEncoder(w).Encode(members); err != nil {
		g.t.Error(err)
	}
}

func problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "status": status, "code": code, "requestId": "8a6e0804-2bd0-4672-b79d-d97027f9071a"})
}

// keys are those that were asked for so far.
func (g *gateway) keys() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[string]int{}
	for _, a := range g.asked {
		if a.key != "" {
			all[a.key]++
		}
	}
	return all
}

func (g *gateway) requests() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}
