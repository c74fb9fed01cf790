package provision

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"strings"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

const (
	maxCSR     = 16 << 10 // bytes
	maxRSABits = 4096     // the work of a verification grows with its square
	proofBytes = 32
)

var (
	serialNumber      = asn1.ObjectIdentifier{2, 5, 4, 5}
	subjectAltName    = asn1.ObjectIdentifier{2, 5, 29, 17}
	challengePassword = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}
)

// possession are the signatures that prove it.
var possession = map[x509.SignatureAlgorithm]bool{
	x509.ECDSAWithSHA256: true, x509.ECDSAWithSHA384: true, x509.ECDSAWithSHA512: true,
	x509.SHA256WithRSA: true, x509.SHA384WithRSA: true, x509.SHA512WithRSA: true,
	x509.SHA256WithRSAPSS: true, x509.SHA384WithRSAPSS: true, x509.SHA512WithRSAPSS: true,
}

// ParseCSR reads a PKCS #10 request and verifies that it was signed with its key, on
// P-256 or RSA of 2048 to 4096 bits. Beside the key it reads the unit: the subject's
// serialNumber and the MACs that are URIs urn:dev:mac:… (RFC 9039), and a claim proof,
// which is a challengePassword of 64 hexadecimal digits. Nothing else that stands in it
// matters. The unit's serial is "" when there is none. Errors are *Refusal.
func ParseCSR(der []byte) (spki []byte, u Unit, proof []byte, err error) {
	if len(der) > maxCSR {
		return nil, u, nil, refuse(BadCSR, "%d bytes: want at most %d", len(der), maxCSR)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, u, nil, refuse(BadCSR, "not the DER of one PKCS #10 request")
	}
	// The key first: who sends one of 16 kbit does not have its signature verified.
	if spki, err = ParsePublicKey(csr.RawSubjectPublicKeyInfo); err != nil {
		return nil, u, nil, err
	}
	if !possession[csr.SignatureAlgorithm] || csr.CheckSignature() != nil {
		return nil, u, nil, refuse(ProofFailed, "the request's signature is not that of its key, with SHA-256 or better")
	}
	if u, err = unitOf(csr); err != nil {
		return nil, Unit{}, nil, err
	}
	proof, err = proofOf(csr.RawTBSCertificateRequest)
	if err != nil {
		return nil, Unit{}, nil, err
	}
	return spki, u, proof, nil
}

// ParsePublicKey accepts the kinds of key that devices may have, and returns the DER
// that each of them has one of. Errors are *Refusal.
func ParsePublicKey(der []byte) (spki []byte, err error) {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	for _, format := range []gateway.KeyFormat{gateway.ES256PEM, gateway.RSAPEM} {
		key, err := auth.ParseKey(format, text)
		if err != nil {
			continue
		}
		if rsaKey, ok := key.Public.(*rsa.PublicKey); ok && rsaKey.N.BitLen() > maxRSABits {
			break
		}
		if spki, err = x509.MarshalPKIXPublicKey(key.Public); err == nil {
			return spki, nil
		}
	}
	return nil, refuse(KeyNotAllowed, "the key is not on P-256, nor RSA of 2048 to %d bits", maxRSABits)
}

func unitOf(csr *x509.CertificateRequest) (u Unit, err error) {
	serials, names := 0, 0
	for _, attribute := range csr.Subject.Names {
		if attribute.Type.Equal(serialNumber) {
			serials++
			u.Serial, _ = attribute.Value.(string)
		}
	}
	for _, extension := range csr.Extensions {
		if extension.Id.Equal(subjectAltName) {
			names++
		}
	}
	switch {
	case serials > 1:
		return Unit{}, refuse(BadIdentifiers, "the subject has %d serial numbers: want one", serials)
	case names > 1:
		return Unit{}, refuse(BadIdentifiers, "%d subjectAltName extensions: want at most one", names)
	}
	var macs []string
	for _, uri := range csr.URIs {
		if body, ok := strings.CutPrefix(strings.ToLower(uri.Opaque), "dev:mac:"); ok && uri.Scheme == "urn" {
			macs = append(macs, fromURN(body))
		}
	}
	if serials == 0 && len(macs) == 0 {
		return Unit{}, nil
	}
	if serials == 0 {
		return Unit{}, refuse(BadIdentifiers, "MAC addresses without a serial number")
	}
	return ParseUnit(u.Serial, macs)
}

// fromURN is a MAC as ParseMAC reads it: RFC 9039 writes it without separators, or as
// an EUI-64 with ff:fe in its middle.
func fromURN(body string) string {
	if len(body) == 16 && body[6:10] == "fffe" {
		body = body[:6] + body[10:]
	}
	if len(body) != 12 {
		return body
	}
	return body[:4] + "." + body[4:8] + "." + body[8:]
}

// proofOf finds a claim proof in the attributes. Anything else in a challengePassword,
// such as a channel's binding (RFC 7030, 3.5), is none.
func proofOf(tbs []byte) (proof []byte, err error) {
	var request struct {
		Version    int
		Subject    asn1.RawValue
		Key        asn1.RawValue
		Attributes []asn1.RawValue `asn1:"tag:0"`
	}
	if _, err := asn1.Unmarshal(tbs, &request); err != nil {
		return nil, refuse(BadCSR, "attributes that cannot be read")
	}
	found := 0
	for _, raw := range request.Attributes {
		var attribute struct {
			ID     asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}
		if _, err := asn1.Unmarshal(raw.FullBytes, &attribute); err != nil || !attribute.ID.Equal(challengePassword) {
			continue
		}
		if found += len(attribute.Values); found > 1 {
			return nil, refuse(BadCSR, "more than one challengePassword")
		}
		for _, v := range attribute.Values {
			if decoded, err := hex.DecodeString(string(v.Bytes)); err == nil && len(decoded) == proofBytes {
				proof = decoded
			}
		}
	}
	return proof, nil
}
