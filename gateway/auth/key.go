package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"iotbridge/gateway"
)

// MaxPEM bounds a credential as text, in bytes.
const MaxPEM = 16 << 10

const (
	minRSABits = 2048
	maxRSABits = 8192 // the work of a verification grows with its square
	minRSAExp  = 65537
)

// Key is a device's public key.
type Key struct {
	Format      gateway.KeyFormat
	Public      crypto.PublicKey  // *ecdsa.PublicKey on P-256, or *rsa.PublicKey
	Certificate *x509.Certificate // that the key came in, with the X.509 formats
}

// Algorithm is what the key's tokens are signed with: ES256 or RS256.
func (k Key) Algorithm() string {
	if _, ok := k.Public.(*rsa.PublicKey); ok {
		return rs256
	}
	return es256
}

// Fingerprint is the SHA-256 of the SubjectPublicKeyInfo, in hex: the same for a key
// and for any certificate of it.
func (k Key) Fingerprint() string {
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		panic(err) // only for types that no Key has
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// ParseKey reads a credential: one PEM block, PUBLIC KEY or CERTIFICATE, that holds
// what format says, a key on P-256 or an RSA key of 2048 to 8192 bits. Its errors
// do not quote what stands there.
func ParseKey(format gateway.KeyFormat, text string) (Key, error) {
	key, err := parsePEM(text)
	switch {
	case err != nil:
		return Key{}, err
	case formatNames[format] == "":
		return Key{}, fmt.Errorf("key format %d: it is one of RSA_PEM, RSA_X509_PEM, ES256_PEM and ES256_X509_PEM", format)
	case key.Format != format:
		return Key{}, fmt.Errorf("the key is in the format %s, not %s", formatNames[key.Format], formatNames[format])
	}
	return key, nil
}

// DetectFormat says which format a credential is in, if any.
func DetectFormat(text string) (gateway.KeyFormat, error) {
	key, err := parsePEM(text)
	return key.Format, err
}

var formatNames = map[gateway.KeyFormat]string{
	gateway.RSAPEM:    "RSA_PEM",
	gateway.RSAX509:   "RSA_X509_PEM",
	gateway.ES256PEM:  "ES256_PEM",
	gateway.ES256X509: "ES256_X509_PEM",
}

func parsePEM(text string) (Key, error) {
	block, err := oneBlock(text)
	if err != nil {
		return Key{}, err
	}
	switch {
	case block.Type == "CERTIFICATE":
		cert, err := parseCertificate(block.Bytes)
		if err != nil {
			return Key{}, err
		}
		key := Key{Public: cert.PublicKey, Certificate: cert}
		key.Format, err = checkPublic(cert.PublicKey, gateway.ES256X509, gateway.RSAX509)
		return key, err
	case block.Type == "PUBLIC KEY":
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return Key{}, errors.New("the PUBLIC KEY is not the DER of a key on P-256 or an RSA key")
		}
		key := Key{Public: public}
		key.Format, err = checkPublic(public, gateway.ES256PEM, gateway.RSAPEM)
		return key, err
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return Key{}, errors.New("a private key: register the public one, and keep this on the device")
	}
	return Key{}, errors.New("the PEM block is neither a PUBLIC KEY nor a CERTIFICATE")
}

// oneBlock reads PEM that has one block, no headers, and nothing around it.
func oneBlock(text string) (*pem.Block, error) {
	if len(text) > MaxPEM {
		return nil, fmt.Errorf("more than %d bytes of PEM", MaxPEM)
	}
	trimmed := bytes.TrimSpace([]byte(text))
	block, rest := pem.Decode(trimmed)
	switch {
	case block == nil || !bytes.HasPrefix(trimmed, []byte("-----BEGIN "+block.Type+"-----")):
		return nil, errors.New("not a PEM block, -----BEGIN PUBLIC KEY----- or -----BEGIN CERTIFICATE-----")
	case len(rest) > 0:
		return nil, errors.New("more than one PEM block, or text after it: a credential is one")
	case len(block.Headers) > 0:
		return nil, errors.New("the PEM block has headers")
	}
	return block, nil
}

func parseCertificate(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return nil, errors.New("the CERTIFICATE is not the DER of an X.509 certificate")
	case cert.SignatureAlgorithm == x509.UnknownSignatureAlgorithm:
		return nil, errors.New("the certificate is signed with an unknown algorithm")
	}
	return cert, nil
}

// checkPublic accepts the keys that IoT Core knew, and says which of the two it is.
func checkPublic(public crypto.PublicKey, ifEC, ifRSA gateway.KeyFormat) (gateway.KeyFormat, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey: // it lies on its curve, or it was not parsed
		if k.Curve != elliptic.P256() {
			return 0, fmt.Errorf("a key on %s: only P-256 signs ES256", k.Curve.Params().Name)
		}
		return ifEC, nil
	case *rsa.PublicKey:
		switch bits := k.N.BitLen(); {
		case bits < minRSABits || bits > maxRSABits:
			return 0, fmt.Errorf("an RSA key of %d bits: it must have %d to %d", bits, minRSABits, maxRSABits)
		case k.E < minRSAExp || k.E%2 == 0:
			return 0, fmt.Errorf("an RSA key with the exponent %d: it must be odd and at least %d", k.E, minRSAExp)
		case k.N.Bit(0) == 0:
			return 0, errors.New("an RSA key with an even modulus")
		}
		return ifRSA, nil
	}
	return 0, errors.New("a key that is neither on P-256 nor RSA")
}
