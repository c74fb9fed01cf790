package provision

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
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
