package provision

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// fuzzSeeds are a request and a public key of one unit, and a proof of the key.
func fuzzSeeds(f *testing.F) (csr, public, proof string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{SerialNumber: "SN-0001"}}, key)
	if err != nil {
		f.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		f.Fatal(err)
	}
	if proof, err = jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"profile": "batch", "requestId": "8a6e0804-2bd0-4672-b79d-d97027f9071a", "serialNumber": "SN-0001",
	}).SignedString(key); err != nil {
		f.Fatal(err)
	}
	return armour(armourRequest, der), armour(armourPublicKey, spki), proof
}

// FuzzEnrolment: a body is refused with a 4xx that is its own, or names a canonical unit
// and a key, in each of the forms that there are.
func FuzzEnrolment(f *testing.F) {
	csr, public, proof := fuzzSeeds(f)
	add := func(members map[string]any) {
		text, err := json.Marshal(members)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	unit := map[string]any{"serialNumber": "SN-0001", "macAddresses": []string{"B8-27-EB-00-00-01"}}
	id := "8a6e0804-2bd0-4672-b79d-d97027f9071a"
	add(map[string]any{"requestId": id, "identifiers": unit, "csr": csr})
	add(map[string]any{"requestId": id, "identifiers": unit, "publicKey": public, "proof": proof})
	add(map[string]any{"identifiers": unit, "claimProof": "00"})
	f.Add([]byte(`{"csr":"","csr":""}`))
	f.Add([]byte(`{"identifiers":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var why *Refusal
		r := Request{Profile: "batch"}
		e, err := readEnrolment(body)
		if err == nil {
			err = e.request(&r)
		}
		if err != nil {
			if !errors.As(err, &why) || why.Code.Status() != http.StatusBadRequest {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		again, err := ParseUnit(r.Unit.Serial, r.Unit.MACs)
		if err != nil || again.Serial != r.Unit.Serial || len(again.MACs) != len(r.Unit.MACs) {
			t.Fatalf("%q: the unit %+v is not canonical", body, r.Unit)
		}
		if (r.PublicKey == nil) != (e.CSR == "" && e.PublicKey == "") {
			t.Fatalf("%q: the key %x", body, r.PublicKey)
		}
		if e.RequestID != "" && uuid.Validate(e.RequestID) != nil || len(r.ClaimProof) != 0 && len(r.ClaimProof) != proofBytes {
			t.Fatalf("%q: taken", body)
		}
	})
}

// FuzzESTRequest: a body is refused, or is the same request in its other wrappings.
func FuzzESTRequest(f *testing.F) {
	csr, _, _ := fuzzSeeds(f)
	block, _ := pem.Decode([]byte(csr))
	f.Add([]byte(csr))
	f.Add(block.Bytes)
	f.Add(encodeBase64(block.Bytes))
	f.Fuzz(func(t *testing.T, body []byte) {
		der, err := unwrapCSR(body)
		if err != nil {
			return
		}
		if _, err := namedIn(der); err != nil && asRefusal(err).Code.Status() != http.StatusBadRequest {
			t.Fatalf("%q: %v", body, err)
		}
		spki, u, _, err := ParseCSR(der)
		if err != nil {
			if asRefusal(err).Code.Status() != http.StatusBadRequest {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		named, err := namedIn(der)
		if err != nil || named.Serial != u.Serial {
			t.Fatalf("%q: unit %+v and %+v, %v", body, u, named, err)
		}
		wrapped, err := unwrapCSR(encodeBase64(der))
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if same, _, _, err := ParseCSR(wrapped); err != nil || !bytes.Equal(same, spki) {
			t.Fatalf("%q: another key, %v", body, err)
		}
	})
}
