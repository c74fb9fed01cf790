package provision_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"iotbridge/gateway/provision"
)

// shell runs the programs that a client has who has none of ours.
type shell struct {
	*site
	dir string
}

func (s *shell) run(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	cmd.Dir = s.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

func (s *shell) write(name string, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shell) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// curl asks as RFC 7030 has it, with a client certificate or none, and returns the body.
func (s *shell) curl(certificate, operation string, args ...string) string {
	s.t.Helper()
	all := []string{"--silent", "--show-error", "--fail-with-body", "--max-time", "60", "--noproxy", "*", "--cacert", "server.pem", "--connect-to", "gateway.test:443:" + s.address, "--dump-header", "head"}
	if certificate != "" {
		all = append(all, "--cert", certificate+".pem", "--key", certificate+".key")
	}
	return s.run("curl", append(append(all, args...), "https://gateway.test/.well-known/est/batch/"+operation)...)
}

// post sends a request in base64, as openssl makes it.
func (s *shell) post(certificate, operation, request string) string {
	s.t.Helper()
	return s.curl(certificate, operation, "--header", "Content-Type: application/pkcs10", "--header", "Content-Transfer-Encoding: base64", "--data-binary", "@"+request)
}

// unpack writes the certificates of a certs-only body to a file in PEM.
func (s *shell) unpack(body, name string) {
	s.t.Helper()
	s.write(name+".b64", body)
	s.run("openssl", "base64", "-d", "-in", name+".b64", "-out", name+".p7")
	s.run("openssl", "pkcs7", "-inform", "DER", "-in", name+".p7", "-print_certs", "-out", name+".pem")
}

// request makes a key and a request of it for a subject.
func (s *shell) request(name, subject string) {
	s.t.Helper()
	s.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name+".key")
	s.run("openssl", "req", "-new", "-sha256", "-key", name+".key", "-subj", subject, "-outform", "DER", "-out", name+".der")
	s.run("openssl", "base64", "-in", name+".der", "-out", name+".req")
}

func (s *shell) public(kind, file string) string {
	s.t.Helper()
	if kind == "certificate" {
		return s.run("openssl", "x509", "-in", file, "-noout", "-pubkey")
	}
	return s.run("openssl", "pkey", "-in", file, "-pubout")
}

// partsOf are the bodies of a multipart answer, split as a shell would.
func partsOf(t testing.TB, head, body string) []string {
	t.Helper()
	_, boundary, ok := strings.Cut(head, "boundary=")
	if !ok {
		t.Fatalf("no boundary: %s", head)
	}
	boundary, _, _ = strings.Cut(boundary, "\r\n")
	var parts []string
	for _, part := range strings.Split(body, "--"+boundary) {
		if _, text, ok := strings.Cut(part, "\r\n\r\n"); ok {
			parts = append(parts, strings.TrimSpace(text)+"\n")
		}
	}
	if len(parts) != 2 {
		t.Fatalf("%d parts", len(parts))
	}
	return parts
}

func keyPEM(t testing.TB, c tls.Certificate) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return armoured("PRIVATE KEY", der)
}

// A client that is none of ours: curl asks and openssl reads, as RFC 7030 has it.
func TestEST_CurlAndOpenSSL(t *testing.T) {
	for _, program := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT SHOWN: an independent EST client is curl with openssl, and %s is not installed here", program)
		}
	}
	site := open(t, func(p *provision.Profile) { p.KeyMode = provision.KeyOnEither })
	s := &shell{site, t.TempDir()}
	s.write("server.pem", armoured("CERTIFICATE", site.gateway.leaf.Raw))
	own := site.bootstrap.issue(t, forClients())
	s.write("bootstrap.pem", armoured("CERTIFICATE", own.Certificate[0]))
	s.write("bootstrap.key", keyPEM(t, own))

	s.unpack(s.curl("", "cacerts"), "ca")
	if head := s.read("head"); !strings.Contains(head, "application/pkcs7-mime; smime-type=certs-only") || !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Errorf("cacerts: %s", head)
	}
	if text := s.run("openssl", "x509", "-in", "ca.pem", "-noout", "-ext", "basicConstraints"); !strings.Contains(text, "CA:TRUE") {
		t.Errorf("cacerts: %s", text)
	}

	attributes, err := base64.StdEncoding.DecodeString(s.curl("bootstrap", "csrattrs"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("attributes", string(attributes))
	if text := s.run("openssl", "asn1parse", "-inform", "DER", "-in", "attributes"); !strings.Contains(text, "ecdsa-with-SHA256") || !strings.Contains(text, "prime256v1") || !strings.Contains(text, "serialNumber") {
		t.Errorf("csrattrs: %s", text)
	}

	s.request("device", "/serialNumber=10000000abcdef01")
	s.unpack(s.post("bootstrap", "simpleenroll", "device.req"), "device")
	s.run("openssl", "verify", "-CAfile", "ca.pem", "-purpose", "sslclient", "device.pem")
	if s.public("certificate", "device.pem") != s.public("key", "device.key") {
		t.Error("simpleenroll: the certificate is of another key")
	}
	subject := s.run("openssl", "x509", "-in", "device.pem", "-noout", "-subject", "-nameopt", "RFC2253")
	if !strings.Contains(subject, "CN=d-10000000ABCDEF01") {
		t.Errorf("simpleenroll: %s", subject)
	}

	// The new key under the certificate's own subject, as RFC 7030, section 4.2.2 asks.
	s.request("next", "/CN=d-10000000ABCDEF01/serialNumber=10000000ABCDEF01")
	s.unpack(s.post("device", "simplereenroll", "next.req"), "next")
	s.run("openssl", "verify", "-CAfile", "ca.pem", "-purpose", "sslclient", "next.pem")
	if s.public("certificate", "next.pem") != s.public("key", "next.key") {
		t.Error("simplereenroll: the certificate is of another key")
	}

	s.request("other", "/serialNumber=SN-0002")
	body := s.post("bootstrap", "serverkeygen", "other.req")
	parts := partsOf(t, s.read("head"), body)
	s.write("made.b64", parts[0])
	s.run("openssl", "base64", "-d", "-in", "made.b64", "-out", "made.der")
	s.run("openssl", "pkcs8", "-inform", "DER", "-nocrypt", "-in", "made.der", "-out", "made.key")
	s.unpack(parts[1], "made")
	s.run("openssl", "verify", "-CAfile", "ca.pem", "-purpose", "sslclient", "made.pem")
	if made := s.public("key", "made.key"); s.public("certificate", "made.pem") != made || made == s.public("key", "other.key") {
		t.Error("serverkeygen: the certificate is not of the key beside it")
	}
}
