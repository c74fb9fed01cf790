package provision

import (
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
)

const (
	maxSubject = 255 // bytes of a bootstrap certificate's subject that are kept
	maxChain   = 4   // certificates of a presented chain that are looked at
)

// Present is the chain that a client has presented, its own certificate first.
func Present(chain []*x509.Certificate) Presented {
	if len(chain) == 0 {
		return Presented{}
	}
	sum := sha256.Sum256(chain[0].Raw)
	return Presented{
		SHA256:  hex.EncodeToString(sum[:]),
		Subject: printable(chain[0].Subject.String(), maxSubject),
		Chain:   chain[:min(len(chain), maxChain)],
	}
}

// own is the client's certificate; nil: none.
func (p Presented) own() *x509.Certificate {
	if len(p.Chain) == 0 {
		return nil
	}
	return p.Chain[0]
}

// key is what names the certificate's key; anyone can make a second certificate of one,
// see twinOf.
func (p Presented) key() string {
	if p.own() == nil {
		return ""
	}
	sum := sha256.Sum256(p.own().RawSubjectPublicKeyInfo)
	return string(sum[:])
}

// curves are those of authorities that sign by ECDSA.
var curves = []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}

// twinOf says that the certificate with the SHA-256 differs from this one in its
// signature alone: where (r, s) is one by ECDSA, (r, n-s) is another, and it takes no
// key to make it. So the certificate that a SHA-256 revokes is still the same one.
func (p Presented) twinOf(sum string) bool {
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	var signature struct{ R, S *big.Int }
	own := p.own()
	if own == nil || unmarshal(own.Raw, &outer) != nil || unmarshal(outer.Signature.Bytes, &signature) != nil {
		return false
	}
	s := signature.S
	for _, curve := range curves {
		if signature.S = new(big.Int).Sub(curve.Params().N, s); signature.S.Sign() <= 0 {
			continue
		}
		der, err := asn1.Marshal(signature)
		if err != nil {
			return false
		}
		outer.Signature = asn1.BitString{Bytes: der, BitLength: 8 * len(der)}
		if der, err = asn1.Marshal(outer); err != nil {
			return false
		}
		twin := sha256.Sum256(der)
		if strings.EqualFold(sum, hex.EncodeToString(twin[:])) {
			return true
		}
	}
	return false
}

func unmarshal(der []byte, into any) error {
	_, err := asn1.Unmarshal(der, into)
	return err
}

// issuedBy says whether the chain leads to the authority, for a client.
func (p Presented) issuedBy(authority *x509.Certificate, o x509.VerifyOptions) error {
	o.Roots, o.Intermediates = x509.NewCertPool(), x509.NewCertPool()
	o.Roots.AddCert(authority)
	for _, c := range p.Chain[1:] {
		o.Intermediates.AddCert(c)
	}
	o.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	_, err := p.Chain[0].Verify(o)
	return err
}

// printable cuts s and replaces what is not printable ASCII.
func printable(s string, most int) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), most)])
}
