package provision_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway/provision"
)

var requestID = regexp.MustCompile(`"requestId":"[^"]*"`)

// theirs says whose each path is. What is not here may not be served.
var theirs = map[string]string{
	"GET /.well-known/est/{profile}/cacerts":         "anyone",
	"GET /.well-known/est/{profile}/csrattrs":        "bootstrap",
	"POST /.well-known/est/{profile}/simpleenroll":   "bootstrap",
	"POST /.well-known/est/{profile}/simplereenroll": "device",
	"POST /.well-known/est/{profile}/serverkeygen":   "bootstrap",
	"POST /v1/provisioning/{profile}:enroll":         "bootstrap",
	"GET /v1/provisioning/self":                      "device",
}

func path(p provision.Path) string { return strings.ReplaceAll(p.Path, "{profile}", "batch") }

// P16: a route that does not say whose it is does not exist, and each one opens to
// those alone of whom its policy speaks. P15: to no other certificate, and the answer
// is the same as to none.
func TestP15_P16_EveryPathAsksForItsCertificate(t *testing.T) {
	s := open(t, nil)
	other := newRoot(t, "other")
	s.profile("other", other, nil)
	own := s.enrolled("SN-0001")
	bootstrap := func(by *root, template *x509.Certificate) *tls.Certificate {
		c := by.issue(t, template)
		return &c
	}
	clientAuth := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	callers := []struct {
		who         string
		certificate *tls.Certificate
		opens       string // a policy
		lapsed      bool   // it was named here, or will be: to say so tells nobody else anything
	}{
		{"nobody", nil, "", false},
		{"a bootstrap certificate", bootstrap(s.bootstrap, forClients()), "bootstrap", false},
		{"a self-made one", bootstrap(newRoot(t, "bootstrap"), forClients()), "", false},
		{"expired, a bootstrap certificate (P18)", bootstrap(s.bootstrap, &x509.Certificate{ExtKeyUsage: clientAuth, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}), "", true},
		{"tomorrow's, a bootstrap certificate", bootstrap(s.bootstrap, &x509.Certificate{ExtKeyUsage: clientAuth, NotBefore: time.Now().Add(12 * time.Hour)}), "", true},
		{"one for servers", bootstrap(s.bootstrap, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}), "", false},
		{"another profile's", bootstrap(other, forClients()), "", false},
		{"the bootstrap authority", &tls.Certificate{Certificate: [][]byte{s.bootstrap.leaf.Raw}, PrivateKey: s.bootstrap.key}, "", false},
		{"the gateway's own kind", bootstrap(s.gateway, forClients()), "", false},
		{"a device", own, "device", false},
		{"unclaimed, a device", issued(t, s.devices, "d-SN-0001"), "", true},
		{"a device's name, self-made", issued(t, newDevices(t), "d-SN-0001"), "", false},
	}
	for _, p := range provision.Paths() {
		if want := theirs[p.Method+" "+p.Path]; p.Policy == "" || p.Policy != want {
			t.Errorf("%s %s is %q's, want %q's", p.Method, p.Path, p.Policy, want)
			continue
		}
		var alike []string
		for _, c := range callers {
			got := s.call(s.client(c.certificate), p.Method, path(p), nil)
			opened := got.code != http.StatusUnauthorized && got.code != http.StatusForbidden && got.code != http.StatusNotFound
			if want := p.Policy == "anyone" || p.Policy == c.opens; opened != want {
				t.Errorf("%s %s, %s: %d %s", p.Method, path(p), c.who, got.code, got.body)
			}
			if !opened {
				if c.lapsed && got.code == http.StatusForbidden {
					problem(t, c.who, got, http.StatusForbidden, "DENIED")
					continue
				}
				alike = append(alike, requestID.ReplaceAllString(got.body, ""))
				problem(t, c.who, got, http.StatusUnauthorized, "NO_CLIENT_CERTIFICATE")
			}
		}
		if len(slices.Compact(alike)) > 1 {
			t.Errorf("%s: those who are refused can tell why: %q", path(p), alike)
		}
		// Who has the certificate of a profile learns nothing of others.
		if p.Policy == "bootstrap" {
			for _, label := range []string{"other", "nothing"} {
				got := s.call(s.client(callers[1].certificate), p.Method, strings.ReplaceAll(p.Path, "{profile}", label), nil)
				problem(t, "batch's certificate for "+label, got, http.StatusUnauthorized, "NO_CLIENT_CERTIFICATE")
			}
		}
	}
	if got := len(s.claims("batch")) + len(s.claims("other")); got != 1 {
		t.Errorf("%d claims, want the one device's", got)
	}
}

// P16, P17: what is not in the table is refused, whoever asks.
func TestP16_P17_WhatIsNotServedIsRefused(t *testing.T) {
	s := open(t, nil)
	own := s.bootstrap.issue(t, forClients())
	c := s.client(&own)
	for _, p := range provision.Paths() {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			if method == p.Method {
				continue
			}
			got := s.call(c, method, path(p), nil)
			if got.code != http.StatusMethodNotAllowed || got.header.Get("Allow") != p.Method {
				t.Errorf("%s %s: %d, Allow %q", method, path(p), got.code, got.header.Get("Allow"))
			}
		}
	}
	for _, at := range []string{
		"/.well-known/est/cacerts", "/.well-known/est/", "/.well-known/est/batch/", "/.well-known/est/batch/fullcmc", "/.well-known/est/batch/cacerts/",
		"/.well-known/est/batch/CACERTS", "/.well-known/est//cacerts", "/.well-known/est/b/cacerts", "/.well-known/est/batch%2Fcacerts", "/.well-known/est/batch%2Fx/cacerts",
		"/.well-known/est/../est/batch/cacerts", "/.well-known/est/batch/x/cacerts", "/.well-known/est/1batch/cacerts", "/.well-known/est/ba%00tch/cacerts", "/.well-known/est/goog/cacerts",
		"/v1/provisioning/", "/v1/provisioning/batch", "/v1/provisioning/batch:enrol", "/v1/provisioning/batch:enroll/", "/v1/provisioning/batch%3Aenroll", "/v1/provisioning/:enroll",
		"/v1/provisioning/batch:renew", "/v1/provisioning/self/", "/v1/provisioning/Self", "/v1/provisioning//self",
		"/v2/provisioning/self", "/v1beta1/provisioning/self", "/v1/batch:enroll", "/",
	} {
		for _, method := range []string{"GET", "POST"} {
			problem(t, method+" "+at, s.call(c, method, at, nil), http.StatusNotFound, "NOT_FOUND")
		}
	}
}
