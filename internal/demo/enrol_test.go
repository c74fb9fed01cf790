package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"iotbridge/device/enroll"
	"iotbridge/gateway/provision"
)

// office answers boards by their serials, over TLS, as a gateway does: with a status, or
// with a certificate.
type office struct {
	authority *provision.Authority
	answers   func(serial string, time int) int // the status; the time is counted from 1

	mu    sync.Mutex
	asked map[string]int
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e struct {
		Identifiers struct{ SerialNumber string }
		CSR         string
	}
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil || len(r.TLS.PeerCertificates) != 1 {
		http.Error(w, "", http.StatusTeapot)
		return
	}
	serial := e.Identifiers.SerialNumber
	o.mu.Lock()
	o.asked[serial]++
	status := o.answers(serial, o.asked[serial])
	o.mu.Unlock()
	if status != http.StatusCreated {
		w.WriteHeader(status)
		return
	}
	block, _ := pem.Decode([]byte(e.CSR))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		http.Error(w, "", http.StatusTeapot)
		return
	}
	der, err := o.authority.Issue(provision.Leaf{CommonName: "d-" + serial, PublicKey: csr.RawSubjectPublicKeyInfo, Lifetime: time.Hour}, time.Now())
	if err != nil {
		http.Error(w, "", http.StatusTeapot)
		return
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"device":{"projectId":"p","locationId":"l","registryId":"reg","deviceId":"d-%s","numId":"2500000000000001"},"certificate":%q}`,
		serial, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (o *office) times(serial string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[serial]
}

// open serves it, for a publisher's fleet.
func (o *office) open(t *testing.T, p *Publisher) *Provisioning {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := provision.NewRoot(provision.ForDevice, "devices", key, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	o.authority, o.asked = &provision.Authority{Purpose: provision.ForDevice, Certificate: root, Signer: key}, map[string]int{}
	server := httptest.NewUnstartedServer(o)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		name = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	p.Fleet.Provisioned, p.Roots = true, write("roots.pem", "CERTIFICATE", server.Certificate().Raw)
	return &Provisioning{URL: server.URL, Profile: "local", Bootstrap: enroll.Bootstrap{
		Certificate: write("bootstrap.pem", "CERTIFICATE", der), Key: write("bootstrap.key", "PRIVATE KEY", pkcs8),
	}}
}

func TestWhoIsRefusedIsCountedAndPublishesNothing(t *testing.T) {
	p := bench(t)
	o := &office{answers: func(serial string, _ int) int {
		switch serial {
		case Stranger:
			return http.StatusForbidden
		case p.Fleet.Serial(1):
			return http.StatusConflict
		}
		return http.StatusCreated
	}}
	at := o.open(t, p)
	for range 2 {
		got, err := p.Enrol(t.Context(), at)
		if err != nil || *got != (Enrolment{Enrolled: 3, Refused: 2}) {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if p.identities[1].key != nil || p.identities[0].key == nil || p.identities[0].name != "2500000000000001" || p.identities[3].name != p.Fleet.Name(3) {
		t.Errorf("%+v", p.identities)
	}
	if o.times(p.Fleet.Serial(0)) != 1 || o.times(Stranger) != 2 {
		t.Errorf("asked: %v; who has a key asks no more", o.asked)
	}

	p.identities[0], p.identities[2], p.identities[3] = identity{}, identity{}, identity{}
	stop := make(chan struct{})
	close(stop)
	if err := p.Run(t.Context(), stop); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(p.folder(1), "spool")); err == nil || p.Books.Kept() != 0 {
		t.Error("a board that was refused has measured")
	}
}

func TestAStrangerThatIsLetInIsAnIntruder(t *testing.T) {
	p := bench(t)
	o := &office{answers: func(string, int) int { return http.StatusCreated }}
	if got, err := p.Enrol(t.Context(), o.open(t, p)); err != nil || *got != (Enrolment{Enrolled: 4, Intruders: 1}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatPassesIsWaitedFor(t *testing.T) {
	p := bench(t)
	o := &office{answers: func(serial string, time int) int {
		switch {
		case serial == Stranger:
			return http.StatusForbidden
		case serial == p.Fleet.Serial(2) && time == 1:
			return http.StatusServiceUnavailable
		}
		return http.StatusCreated
	}}
	got, err := p.Enrol(t.Context(), o.open(t, p))
	if err != nil || *got != (Enrolment{Enrolled: 4, Refused: 1}) || o.times(p.Fleet.Serial(2)) != 2 {
		t.Errorf("%+v, %v, asked %d times", got, err, o.times(p.Fleet.Serial(2)))
	}
}

// What does not pass ends with ctx, and says what was answered.
func TestABoardThatIsPutOffForEverSaysSo(t *testing.T) {
	p := bench(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var again atomic.Int32 // boards that have had an answer, and ask again
	o := &office{answers: func(_ string, time int) int {
		if time == 2 && int(again.Add(1)) == p.Fleet.Size()+1 {
			cancel()
		}
		return http.StatusTooManyRequests
	}}
	if _, err := p.Enrol(ctx, o.open(t, p)); err == nil || !strings.Contains(err.Error(), "the last answer: the gateway grants no credential: 429") {
		t.Errorf("got %v", err)
	}
}

// A certificate that may not ask is the whole fleet's trouble: nobody is waited for.
func TestABootstrapCertificateThatMayNotAskEndsTheRun(t *testing.T) {
	p := bench(t)
	p.Log = zap.NewNop()
	o := &office{answers: func(string, int) int { return http.StatusUnauthorized }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := p.Enrol(ctx, o.open(t, p)); err == nil || !strings.Contains(err.Error(), "401") || ctx.Err() != nil {
		t.Errorf("got %v", err)
	}
}
