package provision

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Purpose is the one thing that a certificate is good for. Each has a root of its own,
// and a policy that stands in the root and in all that it issues.
type Purpose string

// The purposes.
const (
	ForBootstrap Purpose = "bootstrap" // to ask for enrolment
	ForDevice    Purpose = "device"    // to be one board
)

// policies are below the arc of a UUID that was drawn for this (X.667).
var policies = map[Purpose]x509.OID{
	ForBootstrap: oid("2.25.172019267272381241342161208384427380469.1"),
	ForDevice:    oid("2.25.172019267272381241342161208384427380469.2"),
}

func oid(text string) x509.OID {
	o, err := x509.ParseOID(text)
	if err != nil {
		panic(err)
	}
	return o
}

// clockSkew is how far a board's clock may be behind.
const clockSkew = 24 * time.Hour

// Authority issues certificates for one purpose.
type Authority struct {
	Purpose     Purpose
	Certificate *x509.Certificate
	Before      []*x509.Certificate // authorities before it, whose certificates still count
	Signer      crypto.Signer       // of a file (OpenSigner), or a KMS
}

// Fault says why the authority cannot issue; nil when it can.
func (a *Authority) Fault(now time.Time) error {
	for _, c := range a.Certificates() {
		if c == nil || !c.IsCA || !c.BasicConstraintsValid || c.KeyUsage&x509.KeyUsageCertSign == 0 || !isFor(c, a.Purpose) {
			return fmt.Errorf("the %s authority: a certificate that is not of such an authority, make one with provision init", a.Purpose)
		}
	}
	public, ok := a.Certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case a.Signer == nil || !ok || !public.Equal(a.Signer.Public()):
		return fmt.Errorf("the %s authority: the key is not that of the certificate", a.Purpose)
	case now.After(a.Certificate.NotAfter):
		return fmt.Errorf("the %s authority: its certificate expired on %s", a.Purpose, a.Certificate.NotAfter.Format(time.DateOnly))
	}
	return nil
}

// Current is the authority: one that does not change.
func (a *Authority) Current() *Authority { return a }

// Certificates are the authority's, the newest first.
func (a *Authority) Certificates() []*x509.Certificate {
	return append([]*x509.Certificate{a.Certificate}, a.Before...)
}

// NewRoot makes an authority's own certificate.
func NewRoot(purpose Purpose, name string, signer crypto.Signer, now time.Time, lifetime time.Duration) (der []byte, err error) {
	if _, ok := policies[purpose]; !ok {
		return nil, fmt.Errorf("purpose %q: want %s or %s", purpose, ForBootstrap, ForDevice)
	}
	if err := strong(signer.Public()); err != nil {
		return nil, err
	}
	template := newTemplate(purpose, pkix.Name{CommonName: name}, now)
	template.NotAfter = now.Add(lifetime).UTC()
	template.IsCA, template.MaxPathLenZero = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
}

// Leaf is what differs between an authority's certificates.
type Leaf struct {
	CommonName string // a device's id
	Serial     string // of the unit; "": none
	PublicKey  []byte // SubjectPublicKeyInfo in DER
	Lifetime   time.Duration
}

// Issue makes a certificate from the one template that there is. It ends with the
// authority's at the latest.
func (a *Authority) Issue(leaf Leaf, now time.Time) (der []byte, err error) {
	public, err := x509.ParsePKIXPublicKey(leaf.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("a certificate for %s: %w", leaf.CommonName, err)
	}
	if !now.Before(a.Certificate.NotAfter) {
		return nil, fmt.Errorf("the %s authority: its certificate expired on %s", a.Purpose, a.Certificate.NotAfter.Format(time.DateOnly))
	}
	template := newTemplate(a.Purpose, pkix.Name{CommonName: leaf.CommonName, SerialNumber: leaf.Serial}, now)
	if template.NotAfter = now.Add(leaf.Lifetime).UTC(); template.NotAfter.After(a.Certificate.NotAfter) {
		template.NotAfter = a.Certificate.NotAfter
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return x509.CreateCertificate(rand.Reader, template, a.Certificate, public, a.Signer)
}

func newTemplate(purpose Purpose, subject pkix.Name, now time.Time) *x509.Certificate {
	return &x509.Certificate{ // CreateCertificate draws the serial number: 20 random bytes
		Subject: subject, NotBefore: now.Add(-clockSkew).UTC(), BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Policies: []x509.OID{policies[purpose]},
	}
}

// isFor says that a certificate is for the purpose, and says so itself.
func isFor(c *x509.Certificate, purpose Purpose) bool {
	return slices.ContainsFunc(c.Policies, policies[purpose].Equal)
}

// Verify says whether a chain leads to the authority and is for its purpose now.
func (a *Authority) Verify(p Presented, now time.Time) error {
	own := p.own()
	if own == nil || own.IsCA || !isFor(own, a.Purpose) {
		return fmt.Errorf("not a %s certificate", a.Purpose)
	}
	var err error
	for _, root := range a.Certificates() {
		if err = p.issuedBy(root, x509.VerifyOptions{CurrentTime: now}); err == nil {
			return nil
		}
	}
	return err
}

// strong says whether a key may be an authority's.
func strong(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return nil
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits >= 2048 && bits <= maxRSABits {
			return nil
		}
	}
	return errors.New("an authority's key: want one on P-256 or P-384, or RSA of 2048 to 4096 bits")
}
