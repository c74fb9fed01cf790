package provision_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"encoding/asn1"
	"math/big"
	"net/http"
	"testing"

	"iotbridge/gateway/provision"
)

// twin is the same certificate with the other signature that is as good.
func twin(t testing.TB, der []byte) []byte {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(outer.Signature.Bytes, &signature); err != nil {
		t.Fatal(err)
	}
	signature.S.Sub(elliptic.P256().Params().N, signature.S)
	text, err := asn1.Marshal(signature)
	if err != nil {
		t.Fatal(err)
	}
	outer.Signature = asn1.BitString{Bytes: text, BitLength: 8 * len(text)}
	made, err := asn1.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// P1: one certificate of an authority that is revoked stays so, whatever is made of its
// signature, and it is counted as one.
func TestP1_ARevokedCertificatesTwinIsRevoked(t *testing.T) {
	s := open(t, func(p *provision.Profile) { p.Rates.Certificate = 2 })
	own := s.bootstrap.issue(t, forClients())
	second := tls.Certificate{Certificate: [][]byte{twin(t, own.Certificate[0])}, PrivateKey: own.PrivateKey}
	ask := func(by tls.Certificate, serial string) reply {
		t.Helper()
		b := &board{s, s.client(&by), serial}
		return b.enroll(map[string]any{"identifiers": identifiers(serial), "csr": armoured("CERTIFICATE REQUEST", csr(t, newKey(t), serial))})
	}
	ask(own, "SN-0001").credential(t, http.StatusCreated)
	ask(second, "SN-0002").credential(t, http.StatusCreated) // it is a good one
	problem(t, "a third by one key", ask(second, "SN-0003"), http.StatusTooManyRequests, "TOO_MANY_REQUESTS")

	p, err := s.office.Profile(t.Context(), "batch")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(own.Certificate[0])
	p.Bootstrap = append(p.Bootstrap, provision.Bootstrap{Name: "leaked", SHA256: hexOf(sum[:]), Revoked: true})
	if _, err := s.office.PutProfile(t.Context(), "test", p); err != nil {
		t.Fatal(err)
	}
	for what, by := range map[string]tls.Certificate{"revoked": own, "its twin": second} {
		problem(t, what, ask(by, "SN-0004"), http.StatusForbidden, "DENIED")
	}
	s.board("SN-0005").enroll(map[string]any{"identifiers": identifiers("SN-0005"), "csr": armoured("CERTIFICATE REQUEST", csr(t, newKey(t), "SN-0005"))}).credential(t, http.StatusCreated)
}
