package gatewayd_test

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	gatewayregistry "iotbridge/gateway/registry"
)

// admitted is a bootstrap certificate of a new authority, that may ask in the profile batch.
func (g *gate) admitted() *tls.Certificate {
	g.t.Helper()
	boot := g.root(provision.ForBootstrap)
	profile := map[string]any{"registry": "RaspberryPiDevices", "keyMode": "csr", "reprovision": "refuse", "bootstrap": []any{map[string]any{"name": "factory", "authority": boot.pem}}, "rates": map[string]int{"certificate": 1_000_000, "address": 1_000_000, "prefix": 1_000_000}}
	if code := g.ask(g.client(nil), "PUT", "http://"+g.api+"/v1/provisioning/profiles/batch", profile, nil); code != http.StatusOK {
		g.t.Fatalf("the profile: %d", code)
	}
	key := g.newKey()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		g.t.Fatal(err)
	}
	der, err := boot.authority.Issue(provision.Leaf{CommonName: "batch", PublicKey: spki, Lifetime: time.Hour}, time.Now())
	if err != nil {
		g.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *system) enrolment(serial string) map[string]any {
	s.t.Helper()
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, s.newKey())
	if err != nil {
		s.t.Fatal(err)
	}
	return map[string]any{
		"identifiers": map[string]any{"serialNumber": serial},
		"csr":         string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})),
	}
}

// raw sends bytes, and returns the statuses that come back until the gateway closes.
func (g *gate) raw(own *tls.Certificate, text string) (codes []int) {
	g.t.Helper()
	config := &tls.Config{RootCAs: g.roots, ServerName: "localhost"}
	if own != nil {
		config.Certificates = []tls.Certificate{*own}
	}
	c, err := tls.Dial("tcp", g.https, config)
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	go io.WriteString(c, text) // it may close before all is sent
	for r := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(r, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			codes = append(codes, res.StatusCode)
		}
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout():
			g.t.Fatalf("%.80q: answered %v, and not closed", text, codes)
		case err != nil:
			return codes
		}
	}
}

// P20, P16: of a head that can be read in two ways, one request is answered at the most,
// and the connection is closed; a path in disguise is no other path.
func TestP20_SmuggledHeads(t *testing.T) {
	s := start(t)
	devices := s.root(provision.ForDevice)
	g := s.gateway("--provision-ca="+devices.files, "--provision-ca-key="+devices.keys)
	g.seed()
	own := g.admitted()
	enrolment := func(serial string) string {
		text, err := json.Marshal(s.enrolment(serial))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const enroll = "POST /v1/provisioning/batch:enroll HTTP/1.1\r\nHost: localhost\r\n"
	send := func(headers, body string) string { return enroll + headers + "\r\n" + body }
	sized := func(headers, body string) string {
		return send(fmt.Sprintf("%sContent-Length: %d\r\n", headers, len(body)), body)
	}
	chunked := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }
	smuggled := sized("Connection: close\r\n", enrolment("SN-SMUGGLED"))
	visible := enrolment("SN-0001")
	all := chunked(visible) + smuggled
	for _, c := range []struct {
		what, text string
		want       []int
	}{
		{"one", sized("Connection: close\r\n", visible), []int{201}},
		{"two in order", sized("", visible) + sized("Connection: close\r\n", visible), []int{200, 200}},
		{"a length and chunks", send(fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", len(all)), all), []int{200}},
		{"chunks and a length", send("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", all), []int{200}},
		{"chunks, and another behind", send("Transfer-Encoding: chunked\r\n", all), []int{200}},
		{"two encodings", send("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", all), []int{501}},
		{"chunked twice", send("Transfer-Encoding: chunked, chunked\r\n", all), []int{501}},
		{"another encoding", send("Transfer-Encoding: xchunked\r\n", all), []int{501}},
		{"identity", send(fmt.Sprintf("Transfer-Encoding: identity\r\nContent-Length: %d\r\n", len(visible)), visible+smuggled), []int{501}},
		{"two lengths", send(fmt.Sprintf("Content-Length: %d\r\nContent-Length: 0\r\n", len(visible)), visible+smuggled), []int{400}},
		{"two lengths in one", send(fmt.Sprintf("Content-Length: %d, 0\r\n", len(visible)), visible+smuggled), []int{400}},
		{"a length with a sign", send("Content-Length: +0\r\n", smuggled), []int{400}},
		{"less than nothing", send("Content-Length: -1\r\n", smuggled), []int{400}},
		{"a hexadecimal length", send("Content-Length: 0x0\r\n", smuggled), []int{400}},
		{"a blank before the colon", send("Content-Length : 0\r\n", smuggled), []int{400}},
		{"a chunk of no size", send("Transfer-Encoding: chunked\r\n", "zz\r\n"+smuggled), []int{400}},
		{"two hosts", sized("Host: elsewhere\r\nConnection: close\r\n", visible), []int{400}},
		{"two types", sized("Content-Type: application/json\r\nContent-Type: text/plain\r\nConnection: close\r\n", visible), []int{415}},
		{"NUL in a header", sized("X-A: a\x00b\r\nConnection: close\r\n", visible), []int{400}},
		{"a head of 64 KiB", sized("X-A: "+strings.Repeat("a", 64<<10)+"\r\nConnection: close\r\n", visible), []int{431}},
		{"an upgrade", sized("Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", visible), []int{200}},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{404}},
		{"HTTP/0.9", "GET /v1/provisioning/self\r\n\r\n", []int{400}},
	} {
		if got := g.raw(own, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
	for path, want := range map[string]int{
		"/.well-known/est/batch/csrattrs":                          200,
		"https://elsewhere.example/.well-known/est/batch/csrattrs": 200, // as a proxy is asked; the path is what counts
		"/.well-known/est/%62atch/csrattrs":                        200, // RFC 3986: the same path
		"/.well-known/est/BATCH/csrattrs":                          401,
		"/.well-known/est/Batch/csrattrs":                          401,
		"/.well-known/est/batch%2fcsrattrs":                        404,
		"/.well-known/est/batch%2Fx/csrattrs":                      404,
		"/.well-known/est/x%2f..%2fbatch/csrattrs":                 404,
		"/.well-known/est/x/../batch/csrattrs":                     404,
		"/.well-known/est/./batch/csrattrs":                        404,
		"/.well-known//est/batch/csrattrs":                         404,
		"/.well-known/est/batch;x/csrattrs":                        404,
		"/.well-known/est/batch/csrattrs%00":                       404,
		"/.WELL-KNOWN/est/batch/csrattrs":                          404,
		"/.well-known%2fest/batch/csrattrs":                        404,
		"/v1%2fprovisioning/self":                                  404,
		"/V1/provisioning/self":                                    404,
		"https://elsewhere.example/v1/provisioning/self":           401,
		"/v1/provisioning/batch%3aenroll":                          404,
		"*":                                                        404,
	} {
		text := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
		if got := g.raw(own, text); !slices.Equal(got, []int{want}) {
			t.Errorf("%s: %v, want %d", path, got, want)
		}
		if got := g.raw(nil, text); want == 200 && !slices.Equal(got, []int{401}) {
			t.Errorf("%s, by nobody: %v", path, got)
		}
	}
	var claims struct {
		Claims []struct{ SerialNumber string }
	}
	if code := g.ask(g.client(nil), "GET", "http://"+g.api+"/v1/provisioning/profiles/batch/claims", nil, &claims); code != 200 || len(claims.Claims) != 1 {
		t.Errorf("%d: %+v", code, claims)
	}

	// What was refused is in the audit log.
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	store, err := gatewayregistry.Open(t.Context(), s.store, gatewayregistry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	entries, _, err := store.Audit(t.Context(), gateway.Page{Size: 500})
	if err != nil {
		t.Fatal(err)
	}
	refused := slices.DeleteFunc(entries, func(e gateway.AuditEntry) bool { return e.Action != "provision_refuse" })
	if len(refused) == 0 || len(refused) > 10 {
		t.Errorf("%+v", refused)
	}
}

// An authority that is renewed issues from then on; while its file and its key's are
// not of one pair, the one before does.
func TestARenewedAuthorityIsInForce(t *testing.T) {
	s := start(t)
	devices := s.root(provision.ForDevice)
	g := s.gateway("--provision-ca="+devices.files, "--provision-ca-key="+devices.keys)
	g.seed()
	board := g.client(g.admitted())
	type granted struct {
		Certificate    string
		CACertificates []string
	}
	serial := 0
	enrolled := func() (out granted) {
		t.Helper()
		serial++
		if code := g.ask(board, "POST", "https://"+g.https+"/v1/provisioning/batch:enroll", s.enrolment(fmt.Sprintf("SN-%04d", serial)), &out); code != http.StatusCreated {
			t.Fatalf("enrolment: %d", code)
		}
		return out
	}
	by := func(r *root, out granted) bool {
		t.Helper()
		block, _ := pem.Decode([]byte(out.Certificate))
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return leaf.CheckSignatureFrom(r.authority.Certificate) == nil
	}
	if out := enrolled(); !by(devices, out) {
		t.Error("another authority's")
	}
	before := string(s.read(devices.keys))
	next := s.root(provision.ForDevice) // the same files, anew
	s.eventually("the new authority issues", func() bool { return by(next, enrolled()) })

	now := string(s.read(next.keys))
	s.write("device.key", before)
	s.write("device.pem", next.pem+devices.pem)
	if out := enrolled(); !by(next, out) || len(out.CACertificates) != 1 {
		t.Error("half a renewal is in force")
	}
	s.write("device.key", now)
	s.eventually("the one before is told of, too", func() bool {
		out := enrolled()
		return by(next, out) && len(out.CACertificates) == 2
	})
}
