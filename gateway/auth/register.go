package auth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"iotbridge/gateway"
)

// Register checks a credential that a device is given. Beyond ParseKey: an RSA key
// must not be one that can be factored, a certificate must be valid now, and if the
// registry has authorities it must be a certificate that one of them issued. Later
// changes of the authorities do not touch it, nor does the certificate's own end.
func Register(c gateway.Credential, authorities []string, now time.Time) (Key, error) {
	key, err := ParseKey(c.Format, c.PEM)
	if err != nil {
		return Key{}, err
	}
	if public, ok := key.Public.(*rsa.PublicKey); ok {
		if err := checkFactors(public.N); err != nil {
			return Key{}, err
		}
	}
	if key.Certificate != nil {
		if err := checkDates(key.Certificate, now); err != nil {
			return Key{}, err
		}
	}
	if len(authorities) > 0 {
		if key.Certificate == nil {
			return Key{}, errors.New("a bare key: the registry has certificates, so that a device's key must be in one that they issued")
		}
		if err := VerifyIssued(key.Certificate, authorities, now); err != nil {
			return Key{}, err
		}
	}
	return key, nil
}

// VerifyIssued returns nil when one of the authorities, PEM certificates, is the
// direct issuer of cert and valid now. Nothing is asked of the subject.
func VerifyIssued(cert *x509.Certificate, authorities []string, now time.Time) error {
	for i, text := range authorities {
		authority, err := RegisterAuthority(text, now)
		if err != nil {
			continue // it was valid when the registry got it, and is not now
		}
		if cert.Equal(authority) {
			return fmt.Errorf("the certificate is the registry's own number %d", i)
		}
		if bytes.Equal(cert.RawIssuer, authority.RawSubject) && cert.CheckSignatureFrom(authority) == nil {
			return nil
		}
	}
	return errors.New("the certificate was not issued by one of the registry's; intermediate ones do not count")
}

// RegisterAuthority checks a certificate that a registry is given: X.509 version 3,
// a CA's, of a key as devices may have, valid now.
func RegisterAuthority(text string, now time.Time) (*x509.Certificate, error) {
	key, err := parsePEM(text)
	switch cert := key.Certificate; {
	case err != nil:
		return nil, err
	case cert == nil:
		return nil, errors.New("a key: a registry's credential is a CERTIFICATE")
	case cert.Version != 3 || !cert.BasicConstraintsValid || !cert.IsCA:
		return nil, errors.New("the certificate is not an authority's: it needs X.509 version 3 and CA:TRUE")
	default:
		return cert, checkDates(cert, now)
	}
}

func checkDates(cert *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(cert.NotBefore):
		return fmt.Errorf("the certificate is valid from %s on only", cert.NotBefore.Format(time.RFC3339))
	case now.After(cert.NotAfter):
		return fmt.Errorf("the certificate was valid until %s", cert.NotAfter.Format(time.RFC3339))
	}
	return nil
}
