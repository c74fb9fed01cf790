package httpbridge

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"
)

// What is provisioning's goes there, with the client's certificate, and nothing else
// does.
func TestProvisioningHasItsPaths(t *testing.T) {
	s := open(t, func(s *Server) {
		s.Provisioning = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(r.TLS.PeerCertificates) != 1 {
				w.WriteHeader(http.StatusUnauthorized)
			}
			io.WriteString(w, r.URL.EscapedPath())
		})
	})
	d := s.add(seed, "device1")
	transport := s.client.Transport.(*http.Transport)
	for _, path := range []string{"/.well-known/est/batch/cacerts", "/v1/provisioning/self", "/v1/provisioning/a%2Fb"} {
		if code, body := s.call(nil, http.MethodGet, path, ""); code != http.StatusUnauthorized || body != path {
			t.Errorf("%s without a certificate: %d %s", path, code, body)
		}
	}
	// Any certificate: who has issued it is not asked here.
	transport.CloseIdleConnections()
	transport.TLSClientConfig.Certificates = []tls.Certificate{authority()}
	for _, path := range []string{"/.well-known/est/batch/cacerts", "/v1/provisioning/self"} {
		if code, body := s.call(nil, http.MethodPost, path, "{}"); code != http.StatusOK || body != path {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for _, path := range []string{"/v1/provisioning", "/v1%2Fprovisioning/self", "/v1/../v1/provisioning/self", "//v1/provisioning/self", "/.well-known/est", "/v2/provisioning/self"} {
		code, body := s.call(nil, http.MethodGet, path, "")
		expect(t, path, code, body, http.StatusNotFound, "NOT_FOUND")
	}
	// P15: a certificate opens nothing that wants a token.
	code, body := s.call(nil, http.MethodPost, "/v1/"+d.Key.String()+":publishEvent", `{}`)
	expect(t, "a certificate and no token", code, body, http.StatusUnauthorized, "UNAUTHENTICATED")
	code, body = s.publish(d, `{}`)
	expect(t, "a token and a certificate", code, body, http.StatusOK, "{}")
}

func TestNobodyIsAskedForACertificateWithoutProvisioning(t *testing.T) {
	s := open(t, nil)
	asked := false
	s.client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		return &tls.Certificate{}, nil
	}
	code, body := s.call(nil, http.MethodGet, "/v1/provisioning/self", "")
	expect(t, "self", code, body, http.StatusNotFound, "NOT_FOUND")
	if asked {
		t.Error("the client was asked for a certificate")
	}
}
