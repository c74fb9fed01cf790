package provision

import (
	"crypto/x509"
	"crypto/x509/pkix"
)

// caCerts answers alike for every profile, whether or not there is one: anyone may ask.
func (s *Server) caCerts(*call) (*answer, error) {
	var all [][]byte
	for _, authority := range s.Desk.Authority.Current().Certificates() {
		all = append(all, authority.Raw)
	}
	return inCerts(all...)
}

func (s *Server) csrAttrs(*call) (*answer, error) {
	return inBase64(typeAttributes, csrAttributes()), nil
}

// simpleEnroll is told by the signed request whose it is (RFC 7030, section 4.2.1).
func (s *Server) simpleEnroll(c *call) (*answer, error) {
	r := c.request()
	der, err := unwrapCSR(c.body)
	if err == nil {
		r.PublicKey, r.Unit, r.ClaimProof, err = ParseCSR(der)
	}
	if err != nil {
		return nil, err
	}
	r.Subject, c.serial = subjectOf(der).String(), r.Unit.Serial
	g, err := s.Desk.Enroll(c.Context(), r)
	if err != nil {
		return nil, err
	}
	return inCerts(g.Claim.Certificate)
}

// serverKeyGen takes nothing of the request but whose it is: its key and its signature
// are ignored, as RFC 7030, section 4.4.1 has it.
func (s *Server) serverKeyGen(c *call) (*answer, error) {
	r := c.request()
	der, err := unwrapCSR(c.body)
	if err == nil {
		r.Unit, err = namedIn(der)
	}
	if err != nil {
		return nil, err
	}
	c.serial = r.Unit.Serial
	g, err := s.Desk.Enroll(c.Context(), r)
	if err != nil {
		return nil, err
	}
	defer g.Forget()
	if g.PrivateKey == nil {
		return nil, refuse(AlreadyProvisioned, "the key that was made here is told once")
	}
	certs, err := certsOnly(g.Claim.Certificate)
	if err != nil {
		return nil, err
	}
	return keyAndCertificate(g.PrivateKey, certs)
}

// simpleReenroll gives a device a certificate for another key. The request's subject is
// the certificate's (RFC 7030, section 4.2.2), as far as it says one.
func (s *Server) simpleReenroll(c *call) (*answer, error) {
	der, err := unwrapCSR(c.body)
	if err != nil {
		return nil, err
	}
	spki, u, _, err := ParseCSR(der)
	if err != nil {
		return nil, err
	}
	if name := subjectOf(der).CommonName; name != "" && name != c.claim.Device.Device {
		return nil, refuse(BadIdentifiers, "the request's common name is not the device's")
	}
	g, err := s.Desk.Renew(c.Context(), c.by, spki, u, c.from())
	if err != nil {
		return nil, err
	}
	return inCerts(g.Claim.Certificate)
}

// request is what a request says before its body does.
func (c *call) request() Request {
	return Request{ID: c.id, Profile: c.profile, Bootstrap: c.by, From: c.from()}
}

func unwrapCSR(body []byte) ([]byte, error) {
	der, err := unwrap(body, armourRequest, armourNewRequest)
	if err != nil {
		return nil, refuse(BadCSR, "%v", err)
	}
	return der, nil
}

// namedIn is the unit that a request names, whoever has signed it.
func namedIn(der []byte) (Unit, error) {
	if len(der) > maxCSR {
		return Unit{}, refuse(BadCSR, "%d bytes: want at most %d", len(der), maxCSR)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return Unit{}, refuse(BadCSR, "not the DER of one PKCS #10 request")
	}
	return unitOf(csr)
}

// subjectOf is that of a request which ParseCSR has read.
func subjectOf(der []byte) pkix.Name {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return pkix.Name{}
	}
	return csr.Subject
}
