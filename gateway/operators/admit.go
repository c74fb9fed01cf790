package operators

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"strings"
)

// ErrUnknown is the answer to who is not in the file, whatever was shown.
var ErrUnknown = errors.New("not an operator: send Authorization: Bearer TOKEN, or a client certificate, of one in the operators file")

// maxToken bounds what is hashed for somebody who is still nobody, in bytes.
const maxToken = 4 << 10

// Admit decides who calls, by the value of an Authorization header, or if there is
// none by the certificate that the connection's TLS layer has verified; nil is no TLS.
// The authority for these certificates must issue them to operators alone.
func (f *File) Admit(authorization string, state *tls.ConnectionState) (Operator, error) {
	if authorization != "" {
		return f.byToken(authorization)
	}
	if state != nil && len(state.VerifiedChains) > 0 {
		return f.byName(state.VerifiedChains[0][0].Subject.CommonName)
	}
	return Operator{}, ErrUnknown
}

// byToken looks at every line, and at every bit of each.
func (f *File) byToken(authorization string) (Operator, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return Operator{}, ErrUnknown
	}
	sum := sha256.Sum256([]byte(token))
	who, err := Operator{}, ErrUnknown
	for _, e := range f.entries.Current() {
		if subtle.ConstantTimeCompare(sum[:], e.token[:]) == 1 {
			who, err = e.Operator, nil
		}
	}
	return who, err
}

func (f *File) byName(name string) (Operator, error) {
	for _, e := range f.entries.Current() {
		if e.cert && e.Name == name {
			return e.Operator, nil
		}
	}
	return Operator{}, ErrUnknown
}
