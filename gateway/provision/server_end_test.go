package provision_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway/provision"
)

// keeper keeps what was written, and not a copy of it.
type keeper struct {
	http.ResponseWriter
	written [][]byte
}

func (k *keeper) Write(p []byte) (int, error) {
	k.written = append(k.written, p)
	return k.ResponseWriter.Write(p)
}

// asked is a request as the listener hands it on, by a new bootstrap certificate.
func (s *site) asked(ctx context.Context, method, path string, body []byte) *http.Request {
	s.t.Helper()
	own := s.bootstrap.issue(s.t, forClients())
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, ServerName: "gateway.test"}
	return r
}

// P13: a key that was made here is overwritten once it is told.
func TestP13_AnAnswerIsOverwritten(t *testing.T) {
	s := open(t, nil)
	for _, r := range []*http.Request{
		s.asked(t.Context(), "POST", "/.well-known/est/batch/serverkeygen", csr(t, newKey(t), "SN-0001")),
		s.asked(t.Context(), "POST", "/v1/provisioning/batch:enroll", body(map[string]any{"identifiers": identifiers("SN-0002")})),
	} {
		recorder := httptest.NewRecorder()
		k := &keeper{ResponseWriter: recorder}
		s.server.ServeHTTP(k, r)
		if recorder.Code >= 300 || recorder.Body.Len() == 0 || len(k.written) != 1 {
			t.Fatalf("%d %s", recorder.Code, recorder.Body)
		}
		if left := bytes.Trim(k.written[0], "\x00"); len(left) != 0 {
			t.Errorf("%s: %q stays", r.URL, left)
		}
	}
}

// P1: requests that cannot be read have a rate, of an address: they cost work, too.
func TestP1_NonsenseHasARate(t *testing.T) {
	s := open(t, nil)
	now := time.Now()
	s.desk.Now = func() time.Time { return now }
	ask := func(from, text string) int {
		r := s.asked(t.Context(), "POST", "/v1/provisioning/batch:enroll", []byte(text))
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		return w.Code
	}
	for i := range 600 {
		if code := ask("192.0.2.1:1000", "{"); code != http.StatusBadRequest {
			t.Fatalf("the %dth: %d", i, code)
		}
	}
	for _, text := range []string{"{", string(body(map[string]any{"identifiers": identifiers("SN-0001")}))} {
		if code := ask("192.0.2.1:1001", text); code != http.StatusTooManyRequests {
			t.Errorf("%s: %d", text, code)
		}
	}
	if code := ask("192.0.2.2:1000", string(body(map[string]any{"identifiers": identifiers("SN-0002")}))); code != http.StatusCreated {
		t.Errorf("another address: %d", code)
	}
	now = now.Add(time.Second)
	if code := ask("192.0.2.1:1000", string(body(map[string]any{"identifiers": identifiers("SN-0001")}))); code != http.StatusCreated {
		t.Errorf("a second later: %d", code)
	}
}

// Who goes before the answer raises no alarm: neither a log of a fault nor a count of one.
func TestWhoGoesIsNoFault(t *testing.T) {
	s := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range []*http.Request{
		s.asked(ctx, "POST", "/v1/provisioning/batch:enroll", body(map[string]any{"identifiers": identifiers("SN-0001")})),
		s.asked(ctx, "GET", "/.well-known/est/batch/csrattrs", nil),
	} {
		s.server.ServeHTTP(httptest.NewRecorder(), r)
	}
	if faults := s.logged.FilterLevelExact(zap.ErrorLevel).All(); len(faults) != 0 {
		t.Errorf("%+v", faults)
	}
	metrics := s.scrape()
	if !strings.Contains(metrics, `gateway_provision_http_requests_total{code="CLIENT_GONE",operation="enroll"} 1`) || strings.Contains(metrics, `code="STORE_UNAVAILABLE",operation=`) {
		t.Error(metrics)
	}
}

// The owner's function sees the subject of the board's request.
func TestTheWebhookIsToldTheSubject(t *testing.T) {
	subjects := make(chan string, 2)
	var s *site
	c := hooked(t, func(w http.ResponseWriter, r *http.Request) {
		text := new(bytes.Buffer)
		if _, err := text.ReadFrom(r.Body); err != nil {
			t.Error(err)
		}
		_, after, _ := strings.Cut(text.String(), `"csr":`)
		subjects <- after
		says(w, `{"decision":"DENY"}`)
	})
	hook, err := c.office.Profile(t.Context(), "batch")
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, func(p *provision.Profile) { p.Webhook = hook.Webhook })
	s.desk.Hooks = c.Hooks
	b := s.board("SN-0001")
	request := csr(t, newKey(t), "SN-0001")
	problem(t, "EST", b.est("simpleenroll", request), http.StatusForbidden, "DENIED")
	if len(subjects) != 1 {
		t.Error("it was not asked")
	}
	problem(t, "JSON", b.enroll(map[string]any{"identifiers": identifiers("SN-0001"), "csr": armoured("CERTIFICATE REQUEST", request)}), http.StatusForbidden, "DENIED")
	close(subjects) // both were answered
	for got := range subjects {
		if !strings.Contains(got, `"subject":"SERIALNUMBER=SN-0001"`) {
			t.Error(got)
		}
	}
}
