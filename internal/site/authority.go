package site

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Files of the local authority and of the certificate that it issues, in a data directory.
const (
	authorityFile    = "ca.pem"
	authorityKeyFile = "ca.key"
	serverFile       = "server.pem"
	serverKeyFile    = "server.key"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 365 * 24 * time.Hour
	clockSkew     = time.Hour // of a device whose clock is behind
)

// Certificate names files: a server's certificate, its key, and who issued it.
type Certificate struct{ File, Key, CA string }

// ServerCertificate makes a certificate for this machine, for a year, under the
// authority in dir. The authority is made where there is none, and stays: devices keep it.
func ServerCertificate(dir string) (Certificate, error) {
	c := Certificate{filepath.Join(dir, serverFile), filepath.Join(dir, serverKeyFile), filepath.Join(dir, authorityFile)}
	issuer, key, err := authority(dir)
	if err == nil {
		err = issueServer(c, issuer, key)
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("local certificates: %w", err)
	}
	return c, nil
}

// authority returns the one in dir. Its certificate is written last: where it is, the
// key is too.
func authority(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	name := filepath.Join(dir, authorityFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return newAuthority(name, filepath.Join(dir, authorityKeyFile))
	}
	if err != nil {
		return nil, nil, err
	}
	certificate, err := decode(name, text, x509.ParseCertificate)
	if err != nil {
		return nil, nil, err
	}
	name = filepath.Join(dir, authorityKeyFile)
	if text, err = os.ReadFile(name); err != nil {
		return nil, nil, err
	}
	key, err := decode(name, text, x509.ParseECPrivateKey)
	return certificate, key, err
}

func newAuthority(name, keyName string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "iotbridge local authority"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(writeKey(keyName, key), writePEM(name, "CERTIFICATE", der)); err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}

func issueServer(c Certificate, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) error {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "iotbridge local"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(serverLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		template.DNSNames = append(template.DNSNames, host)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return err
	}
	return errors.Join(writeKey(c.Key, key), writePEM(c.File, "CERTIFICATE", der))
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return n
}

func writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(name, "EC PRIVATE KEY", der)
}

func writePEM(name, kind string, der []byte) error {
	return writeWhole(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func decode[T any](name string, text []byte, parse func([]byte) (T, error)) (T, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		var none T
		return none, fmt.Errorf("%s: not PEM", name)
	}
	parsed, err := parse(block.Bytes)
	if err != nil {
		return parsed, fmt.Errorf("%s: %w", name, err)
	}
	return parsed, nil
}
