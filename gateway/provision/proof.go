package provision

import (
	"crypto/x509"

	"github.com/golang-jwt/jwt/v5"
)

const maxProof = 8 << 10 // bytes

// statement is what a proof signs: it is for one request of one unit.
type statement struct {
	jwt.RegisteredClaims
	Profile   string `json:"profile"`
	RequestID string `json:"requestId"`
	Serial    string `json:"serialNumber"`
}

// VerifyProof verifies possession of a public key that comes without a CSR, and returns
// its SubjectPublicKeyInfo. The proof is a JWS in compact form, ES256 or RS256 by that
// key, over {"profile":…,"requestId":…,"serialNumber":…}, each as the request has it.
// Errors are *Refusal.
func VerifyProof(key []byte, proof, profile, requestID, serial string) (spki []byte, err error) {
	if spki, err = ParsePublicKey(key); err != nil {
		return nil, err
	}
	if len(proof) > maxProof {
		return nil, refuse(ProofFailed, "a proof of %d bytes: want at most %d", len(proof), maxProof)
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, refuse(KeyNotAllowed, "the key cannot be read")
	}
	var said statement
	if _, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256", "RS256"})).
		ParseWithClaims(proof, &said, func(*jwt.Token) (any, error) { return public, nil }); err != nil {
		return nil, refuse(ProofFailed, "the proof is not a JWS by the key")
	}
	if said.Profile != profile || said.RequestID != requestID || said.Serial != serial {
		return nil, refuse(ProofFailed, "the proof is for another profile, request or serial number")
	}
	return spki, nil
}
