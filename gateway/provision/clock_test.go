package provision_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"testing"
	"time"

	"iotbridge/gateway/provision"
)

// P18: what the server does about clocks. A bootstrap certificate that ended in a
// warehouse is let in where its entry says until when, and nowhere else; one of tomorrow
// is not; and what is issued is in force already for a board whose clock is a day behind,
// and for no longer than its authority.
func TestP18_ClocksAndWarehouses(t *testing.T) {
	hours := func(n int) time.Time { return time.Now().Add(time.Duration(n) * time.Hour) }
	s := open(t, nil)
	for i, row := range []struct {
		what                string
		notBefore, notAfter time.Time
		end                 time.Time // of the entry; zero: none
		in                  bool
	}{
		{"in force", hours(-48), hours(48), time.Time{}, true},
		{"expired", hours(-48), hours(-24), time.Time{}, false},
		{"expired, and the entry goes on", hours(-48), hours(-24), hours(24), true},
		{"expired, and so has the entry", hours(-48), hours(-24), hours(-12), false},
		{"in force, and the entry has expired", hours(-48), hours(48), hours(-12), false},
		{"of tomorrow", hours(12), hours(48), time.Time{}, false},
		{"of tomorrow, whatever the entry says", hours(12), hours(48), hours(96), false},
	} {
		for _, itself := range []bool{false, true} {
			own := s.bootstrap.issue(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, NotBefore: row.notBefore, NotAfter: row.notAfter})
			entry := s.bootstrap.pin()
			if itself {
				entry = provision.Bootstrap{SHA256: presented(t, own.Certificate[0]).SHA256}
			}
			entry.NotAfter = row.end
			s.entries(entry)
			serial := fmt.Sprintf("SN-%d-%t", i, itself)
			b := &board{s, s.client(&own), serial}
			got := b.enroll(map[string]any{"identifiers": identifiers(serial), "csr": armoured("CERTIFICATE REQUEST", csr(t, newKey(t), serial))})
			if !row.in {
				problem(t, row.what, got, http.StatusUnauthorized, "NO_CLIENT_CERTIFICATE")
				continue
			}
			_, leaf := got.credential(t, http.StatusCreated)
			if skew := time.Since(leaf.NotBefore); skew < 24*time.Hour || leaf.NotAfter.After(s.devices.Certificate.NotAfter) {
				t.Errorf("%s: issued from %s to %s", row.what, leaf.NotBefore, leaf.NotAfter)
			}
		}
	}
}

// P18: a device whose certificate ended while it was off does not renew with it, and is
// told the same as a stranger; it comes back with the bootstrap certificate, where the
// profile lets it.
func TestP18_ADeviceThatWasOffForTooLong(t *testing.T) {
	s := open(t, func(p *provision.Profile) {
		p.Lifetime, p.Again = provision.Duration(time.Hour), provision.AgainExpired
	})
	own := s.enrolled("SN-0001")
	s.desk.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	request := csr(t, newKey(t), "SN-0001")
	problem(t, "renewal", (&board{s, s.client(own), ""}).est("simplereenroll", request), http.StatusUnauthorized, "NO_CLIENT_CERTIFICATE")
	problem(t, "self", s.call(s.client(own), "GET", "/v1/provisioning/self", nil), http.StatusUnauthorized, "NO_CLIENT_CERTIFICATE")
	key := newKey(t)
	_, leaf := s.board("SN-0001").enroll(map[string]any{"identifiers": identifiers("SN-0001"), "csr": armoured("CERTIFICATE REQUEST", csr(t, key, "SN-0001"))}).credential(t, http.StatusCreated)
	if !leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) || len(s.claims("batch")) != 1 {
		t.Error("not the same unit with another key")
	}
	fresh := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	if got := s.call(s.client(fresh), "GET", "/v1/provisioning/self", nil); got.code != http.StatusOK {
		t.Errorf("%d %s", got.code, got.body)
	}
}

// entries are who may ask in the profile batch.
func (s *site) entries(all ...provision.Bootstrap) {
	s.t.Helper()
	p, err := s.office.Profile(s.t.Context(), "batch")
	if err != nil {
		s.t.Fatal(err)
	}
	p.Bootstrap = all
	if _, err := s.office.PutProfile(s.t.Context(), "test", p); err != nil {
		s.t.Fatal(err)
	}
}
