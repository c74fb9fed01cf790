package provision_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"
)

const certsType = "application/pkcs7-mime; smime-type=certs-only"

func (b *board) est(operation string, body []byte) reply {
	b.t.Helper()
	return b.call(b.Client, "POST", "/.well-known/est/batch/"+operation, body, "Content-Type", "application/pkcs10")
}

// certificates are those of a certs-only answer, which must be as RFC 7030 has it.
func certificates(t testing.TB, header http.Header, body string) []*x509.Certificate {
	t.Helper()
	der := unbase64(t, header, certsType, body)
	p7, err := pkcs7.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return p7.Certificates
}

func unbase64(t testing.TB, header http.Header, contentType, body string) []byte {
	t.Helper()
	if header.Get("Content-Type") != contentType || header.Get("Content-Transfer-Encoding") != "base64" {
		t.Fatalf("%s in %q, want %s: %s", header.Get("Content-Type"), header.Get("Content-Transfer-Encoding"), contentType, body)
	}
	for line := range strings.Lines(body) {
		if len(strings.TrimSpace(line)) > 64 {
			t.Fatalf("a line of %d", len(line))
		}
	}
	der, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func one(t testing.TB, r reply) *x509.Certificate {
	t.Helper()
	if r.code != http.StatusOK {
		t.Fatalf("%d %s", r.code, r.body)
	}
	all := certificates(t, r.header, r.body)
	if len(all) != 1 {
		t.Fatalf("%d certificates", len(all))
	}
	return all[0]
}

func TestEST_AuthoritiesAndAttributes(t *testing.T) {
	s := open(t, nil)
	// The authority before this one is still told of.
	s.devices.Before = append(s.devices.Before, newDevices(t).Certificate)
	for _, label := range []string{"batch", "nothing"} { // a stranger does not learn which profiles there are
		got := s.call(s.client(nil), "GET", "/.well-known/est/"+label+"/cacerts", nil)
		all := certificates(t, got.header, got.body)
		if got.code != http.StatusOK || len(all) != 2 || !all[0].Equal(s.devices.Certificate) || !all[1].Equal(s.devices.Before[0]) {
			t.Errorf("%s: %d, %d certificates", label, got.code, len(all))
		}
	}
	got := s.call(s.board("").Client, "GET", "/.well-known/est/batch/csrattrs", nil)
	want := "MCYGCCqGSM49BAMCMBUGByqGSM49AgExCgYIKoZIzj0DAQcGA1UEBQ==\n" // RFC 7030, section 4.5.2, by openssl asn1parse
	if got.code != http.StatusOK || got.header.Get("Content-Type") != "application/csrattrs" || got.header.Get("Content-Transfer-Encoding") != "base64" || got.body != want {
		t.Errorf("%d %v %s", got.code, got.header, got.body)
	}
}

// A request is the same in any wrapping, and a lost answer is asked for again.
func TestEST_EnrollIsReadLeniently(t *testing.T) {
	s := open(t, nil)
	b := s.board("SN-0001")
	key := newKey(t)
	der := csr(t, key, "sn-0001", "b8:27:eb:00:00:01")
	plain := base64.StdEncoding.EncodeToString(der)
	first := one(t, b.est("simpleenroll", der))
	if !first.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) || first.Subject.CommonName != "d-SN-0001" {
		t.Errorf("%s", first.Subject)
	}
	for what, body := range map[string]string{
		"base64": plain, "base64 in lines": strings.Join(strings.SplitAfter(plain, "A"), "\r\n"), "PEM": armoured("CERTIFICATE REQUEST", der), "PEM of old tools": armoured("NEW CERTIFICATE REQUEST", der),
	} {
		for _, headers := range [][]string{
			{"Content-Type", "application/pkcs10", "Content-Transfer-Encoding", "base64"}, {"Content-Type", "application/pkcs10; charset=utf-8", "Content-Transfer-Encoding", "binary"}, nil,
		} {
			got := b.call(b.Client, "POST", "/.well-known/est/batch/simpleenroll", []byte(body), headers...)
			if again := one(t, got); !again.Equal(first) {
				t.Errorf("%s, %q: another certificate", what, headers)
			}
		}
	}
	claims := s.claims("batch")
	if len(claims) != 1 || claims[0].Unit.Serial != "SN-0001" || len(claims[0].Unit.MACs) != 1 {
		t.Errorf("%+v", claims)
	}
	problem(t, "another key", b.est("simpleenroll", csr(t, newKey(t), "SN-0001")), http.StatusConflict, "ALREADY_PROVISIONED")
}

// P10: what is no request is refused, over EST and in JSON.
func TestP10_EST_BadRequests(t *testing.T) {
	s := open(t, nil)
	b := s.board("SN-0001")
	good := csr(t, newKey(t), "SN-0001")
	bad := bytes.Clone(good)
	bad[len(bad)-1] ^= 1
	for _, c := range []struct {
		what string
		body []byte
		code string
	}{
		{"nothing", nil, "BAD_CSR"},
		{"a word", []byte("hello"), "BAD_CSR"},
		{"JSON", []byte(`{}`), "BAD_CSR"},
		{"two", []byte(armoured("CERTIFICATE REQUEST", good) + armoured("CERTIFICATE REQUEST", good)), "BAD_CSR"},
		{"a certificate", []byte(armoured("CERTIFICATE REQUEST", s.devices.Certificate.Raw)), "BAD_CSR"},
		{"trailing DER", append(bytes.Clone(good), 5, 0), "BAD_CSR"},
		{"cut", good[:len(good)-1], "BAD_CSR"},
		{"another's signature", bad, "POP_FAILED"},
		{"no serial", csr(t, newKey(t), ""), "BAD_IDENTIFIERS"},
	} {
		problem(t, c.what, b.est("simpleenroll", c.body), http.StatusBadRequest, c.code)
	}
	if len(s.claims("batch")) != 0 {
		t.Error("something was written")
	}
}

func TestEST_ServerKeyGen(t *testing.T) {
	s := open(t, nil)
	b := s.board("SN-0001")
	request := csr(t, newKey(t), "SN-0001")
	request[len(request)-1] ^= 1 // RFC 7030, section 4.4.1: the signature is ignored
	got := b.est("serverkeygen", request)
	key, leaf := keyAndCertificate(t, got)
	if !key.PublicKey.Equal(leaf.PublicKey) || leaf.Subject.CommonName != "d-SN-0001" {
		t.Errorf("%s", leaf.Subject)
	}
	self := s.call(s.client(&tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}), "GET", "/v1/provisioning/self", nil)
	self.credential(t, http.StatusOK)
}

func keyAndCertificate(t testing.TB, got reply) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" || got.code != http.StatusOK {
		t.Fatalf("%d %s %s", got.code, got.header.Get("Content-Type"), got.body)
	}
	parts := multipart.NewReader(strings.NewReader(got.body), parameters["boundary"])
	next := func() (http.Header, string) {
		t.Helper()
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header(part.Header), string(text)
	}
	header, text := next()
	key, err := x509.ParsePKCS8PrivateKey(unbase64(t, header, "application/pkcs8", text))
	if err != nil {
		t.Fatal(err)
	}
	header, text = next()
	all := certificates(t, header, text)
	if _, err := parts.NextRawPart(); err != io.EOF || len(all) != 1 {
		t.Fatalf("%d certificates, %v", len(all), err)
	}
	return key.(*ecdsa.PrivateKey), all[0]
}

func TestEST_Reenroll(t *testing.T) {
	s := open(t, nil)
	old := s.enrolled("SN-0001")
	device := &board{s, s.client(old), "SN-0001"}
	key := newKey(t)
	problem(t, "another unit's", device.est("simplereenroll", csr(t, newKey(t), "SN-0002")), http.StatusBadRequest, "BAD_IDENTIFIERS")
	other, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "d-SN-0002"}}, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	problem(t, "another device's", device.est("simplereenroll", other), http.StatusBadRequest, "BAD_IDENTIFIERS")
	renewed := one(t, device.est("simplereenroll", csr(t, key, "SN-0001")))
	if !renewed.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) || renewed.Subject.CommonName != "d-SN-0001" {
		t.Errorf("%s", renewed.Subject)
	}
	// A lost answer: the same again.
	if again := one(t, device.est("simplereenroll", csr(t, key, "SN-0001"))); !again.Equal(renewed) {
		t.Error("another certificate")
	}
	// Both are the device while they overlap, and both are told of the newest.
	for _, own := range []*tls.Certificate{old, {Certificate: [][]byte{renewed.Raw}, PrivateKey: key}} {
		if _, leaf := s.call(s.client(own), "GET", "/v1/provisioning/self", nil).credential(t, http.StatusOK); !leaf.Equal(renewed) {
			t.Error("self names another certificate")
		}
	}
	// The subject of the certificate itself is as good as the unit's (RFC 7030, 4.2.2).
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: renewed.RawSubject}, key)
	if err != nil {
		t.Fatal(err)
	}
	if again := one(t, device.est("simplereenroll", request)); !again.Equal(renewed) {
		t.Error("another certificate")
	}
}
