package provision_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// Each refusal that changes no claim is in the audit log, under its reason, whichever
// the board was told; a name that nobody has checked is not.
func TestRefusalsAreInTheAuditLog(t *testing.T) {
	s := open(t, func(p *provision.Profile) { p.Lists, p.Rates.Prefix = true, 2 })
	s.server.Audit = s.store
	if _, err := s.office.Enlist(t.Context(), "test", "batch", provision.Allow, func(yield func(provision.Entry, error) bool) {
		yield(provision.Entry{Serial: "SN-0001"}, nil)
	}); err != nil {
		t.Fatal(err)
	}
	own := s.enrolled("SN-0001")
	b := s.board("SN-0001")
	ask := func(serial string) reply {
		return b.enroll(map[string]any{"identifiers": identifiers(serial), "csr": armoured("CERTIFICATE REQUEST", csr(t, newKey(t), serial))})
	}
	problem(t, "another key", ask("SN-0001"), http.StatusConflict, "ALREADY_PROVISIONED")
	problem(t, "a rate", ask("SN-0001"), http.StatusTooManyRequests, "TOO_MANY_REQUESTS")
	problem(t, "not listed", b.est("simpleenroll", csr(t, newKey(t), "SX-0002")), http.StatusForbidden, "DENIED")
	problem(t, "no request", b.enroll(map[string]any{}), http.StatusBadRequest, "BAD_IDENTIFIERS")
	problem(t, "nobody", s.call(s.client(nil), "POST", "/v1/provisioning/invented:enroll", nil), http.StatusUnauthorized, "NO_CLIENT_CERTIFICATE")
	problem(t, "no profile", b.call(b.Client, "POST", "/v1/provisioning/guessed:enroll", nil), http.StatusUnauthorized, "NO_CLIENT_CERTIFICATE")
	problem(t, "not found", b.call(b.Client, "GET", "/v1/provisioning/guessed", nil), http.StatusNotFound, "NOT_FOUND")
	device := &board{s, s.client(own), "SN-0001"}
	problem(t, "a renewal", device.est("simplereenroll", csr(t, newKey(t), "SN-0009")), http.StatusBadRequest, "BAD_IDENTIFIERS")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.server.Run(ended); err != nil { // what is due when it ends is written still
		t.Fatal(err)
	}
	all, _, err := s.store.Audit(t.Context(), gateway.Page{Size: 100})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range slices.Backward(all) {
		if e.Action == "provision_refuse" {
			code, rest, _ := strings.Cut(e.Detail, ",")
			got = append(got, e.Actor+" "+e.Object+" "+code)
			if !strings.HasPrefix(rest, " request ") || !strings.HasSuffix(rest, " from 127.0.0.1") || strings.Contains(e.Detail+e.Object, "guessed") || strings.Contains(e.Object, "invented") {
				t.Errorf("%+v", e)
			}
		}
	}
	const claims = "provisioning/batch provisioning/profiles/batch/claims/"
	want := []string{
		claims + "SN-0001 ALREADY_PROVISIONED", claims + "SN-0001 TOO_MANY_REQUESTS", claims + "SX-0002 NOT_IN_ALLOWLIST", "provisioning/batch provisioning/profiles/batch BAD_IDENTIFIERS",
		"provisioning provisioning NO_CLIENT_CERTIFICATE", "provisioning provisioning UNKNOWN_PROFILE",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if metrics := s.scrape(); strings.Contains(metrics, "guessed") || strings.Contains(metrics, "invented") {
		t.Error("a made up name is in a metric")
	}
}

// Run writes while it runs.
func TestRefusalsAreWrittenAtOnce(t *testing.T) {
	s := open(t, nil)
	book := make(pages, 1)
	s.server.Audit = book
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.server.Run(ctx) }()
	s.call(s.client(nil), "GET", "/v1/provisioning/self", nil)
	if e := <-book; e.Action != "provision_refuse" {
		t.Errorf("%+v", e)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// pages are an audit log.
type pages chan gateway.AuditEntry

func (p pages) Record(_ context.Context, e gateway.AuditEntry) error { p <- e; return nil }
