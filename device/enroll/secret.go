package enroll

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Bootstrap names the files of the certificate that may ask, and of its key.
type Bootstrap struct{ Certificate, Key string }

// Load reads both. The key's file must be nobody else's, the certificate's may be read
// by anybody.
func (b Bootstrap) Load() (tls.Certificate, error) {
	chain, err := readPublic(b.Certificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("bootstrap certificate %s: %w", b.Certificate, err)
	}
	key, err := readFile(b.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("bootstrap key %s: %w", b.Key, err)
	}
	defer clear(key)
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("bootstrap certificate %s with %s: %w", b.Certificate, b.Key, err)
	}
	return pair, nil
}

func readPublic(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	is, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !is.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case is.Mode().Perm()&0o002 != 0:
		return nil, fmt.Errorf("anybody may change it (%04o): chmod o-w", is.Mode().Perm())
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// claimProof shows that the board has its unit's claim secret, for one key.
func claimProof(path string, csr []byte) (string, error) {
	text, err := readFile(path)
	if err != nil {
		return "", fmt.Errorf("claim secret %s: %w", path, err)
	}
	defer clear(text)
	secret := bytes.TrimRight(text, "\r\n")
	if len(secret) == 0 {
		return "", fmt.Errorf("claim secret %s: it is empty", path)
	}
	parsed, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return "", err
	}
	hashed := sha256.Sum256(secret)
	mac := hmac.New(sha256.New, hashed[:])
	mac.Write(parsed.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// pair is the device's own certificate with its key.
func (e *enrolled) pair() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{e.identity.Certificate.Raw}, PrivateKey: e.key, Leaf: e.identity.Certificate}
}

func armour(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
