package loadtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// Board is one that is simulated and has no credential yet. Its key and its request
// are made beforehand, as on its disk.
type Board struct {
	Serial string
	body   []byte // of {profile}:enroll
}

// NewBoards makes n boards, each with a key of its own. Their serials count up.
func NewBoards(n int) ([]Board, error) {
	boards := make([]Board, n)
	for i := range boards {
		b := &boards[i]
		b.Serial = fmt.Sprintf("10000000%08X", i+1)
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{SerialNumber: b.Serial}}, key)
		if err != nil {
			return nil, err
		}
		var ask Enrolment
		ask.Identifiers.SerialNumber = b.Serial
		ask.CSR = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))
		if b.body, err = json.Marshal(ask); err != nil {
			return nil, err
		}
	}
	return boards, nil
}

// Enrolment is what a board asks, in JSON.
type Enrolment struct {
	Identifiers struct {
		SerialNumber string `json:"serialNumber"`
	} `json:"identifiers"`
	CSR string `json:"csr"` // PEM
}
