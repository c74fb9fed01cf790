package provision

import (
	"encoding/hex"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// enrolment is the body of {profile}:enroll. A member that is not named here, one that
// comes twice, and text that is not UTF-8 refuse it. The key is one of three: in csr; in
// publicKey with proof; or made here, when there is neither.
type enrolment struct {
	RequestID   string `json:"requestId"` // a UUID; "": one is made here
	Identifiers struct {
		SerialNumber string   `json:"serialNumber"`
		MACAddresses []string `json:"macAddresses"`
	} `json:"identifiers"`
	CSR        string `json:"csr"`        // PEM, or base64 of DER
	PublicKey  string `json:"publicKey"`  // likewise
	Proof      string `json:"proof"`      // as VerifyProof reads it; requestId and serialNumber as they are here
	ClaimProof string `json:"claimProof"` // 64 hexadecimal digits of Request.ClaimProof
}

func readEnrolment(body []byte) (e enrolment, err error) {
	if err := json.Unmarshal(body, &e, json.RejectUnknownMembers(true)); err != nil {
		return e, refuse(BadRequest, "body: %v", err)
	}
	switch {
	case e.RequestID != "" && (len(e.RequestID) != 36 || uuid.Validate(e.RequestID) != nil):
		return e, refuse(BadRequest, "requestId: want a UUID")
	case e.CSR != "" && (e.PublicKey != "" || e.Proof != ""):
		return e, refuse(BadRequest, "csr, publicKey: want one of them")
	case e.Proof != "" && e.PublicKey == "":
		return e, refuse(BadRequest, "proof: want publicKey beside it")
	case e.PublicKey != "" && e.RequestID == "":
		return e, refuse(BadRequest, "publicKey: want requestId beside it, which the proof signs too")
	}
	return e, nil
}

// request fills in what the body says. The unit is that of identifiers; what a signed
// request names beside it is the same unit, or is refused.
func (e *enrolment) request(r *Request) (err error) {
	var signed Unit
	switch {
	case e.CSR != "":
		var der []byte
		if der, err = unwrapCSR([]byte(e.CSR)); err == nil {
			r.PublicKey, signed, r.ClaimProof, err = ParseCSR(der)
		}
		if err == nil {
			r.Subject = subjectOf(der).String()
		}
	case e.PublicKey != "":
		var der []byte
		if der, err = unwrap([]byte(e.PublicKey), armourPublicKey); err != nil {
			return refuse(KeyNotAllowed, "publicKey: %v", err)
		}
		r.PublicKey, err = VerifyProof(der, e.Proof, r.Profile, e.RequestID, e.Identifiers.SerialNumber)
	}
	if err != nil {
		return err
	}
	if r.Unit, err = ParseUnit(e.Identifiers.SerialNumber, slices.Concat(e.Identifiers.MACAddresses, signed.MACs)); err != nil {
		return err
	}
	if signed.Serial != "" && signed.Serial != r.Unit.Serial {
		return refuse(BadIdentifiers, "the serial number of csr is not that of identifiers")
	}
	if e.ClaimProof != "" {
		if r.ClaimProof, err = hex.DecodeString(e.ClaimProof); err != nil || len(r.ClaimProof) != proofBytes {
			return refuse(BadRequest, "claimProof: want %d hexadecimal digits", 2*proofBytes)
		}
	}
	return nil
}
