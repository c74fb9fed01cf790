package provision

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const maxKeyFile = 64 << 10

// OpenSigner reads an authority's key: one PEM block, PKCS #8 or SEC 1, in a file that
// nobody but its owner can read.
func OpenSigner(path string) (crypto.Signer, error) {
	signer, err := openSigner(path)
	if err != nil {
		return nil, fmt.Errorf("authority's key %s: %w", path, err)
	}
	return signer, nil
}

func openSigner(path string) (crypto.Signer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Of what was opened, not of what has the name by now.
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a file")
	case info.Mode().Perm()&0o077 != 0:
		return nil, errors.New("others can read it: chmod 600 it")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	defer clear(text)
	block, rest := pem.Decode(text)
	if block == nil || len(text) > maxKeyFile || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("want one PEM block, -----BEGIN PRIVATE KEY----- or -----BEGIN EC PRIVATE KEY-----")
	}
	defer clear(block.Bytes)
	key, err := parsePrivate(block)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("a key that signs nothing")
	}
	return signer, strong(signer.Public())
}

// parsePrivate quotes nothing of the block.
func parsePrivate(block *pem.Block) (key any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, errors.New("the PEM block is not a PRIVATE KEY (PKCS #8) or an EC PRIVATE KEY (SEC 1)")
	}
	if err != nil {
		return nil, errors.New("the PEM block holds no key that can be read")
	}
	return key, nil
}

// NewSigner makes a key on P-256 and the file that it is in, which must not be there.
func NewSigner(path string) (_ crypto.Signer, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("authority's key: %w", err)
	}
	if err := errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("authority's key %s: %w", path, err)
	}
	return key, nil
}
