package enroll

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"go.uber.org/zap"
)

// request is what is asked for, the same until it is answered.
type request struct {
	key    *ecdsa.PrivateKey
	csr    []byte // DER
	id     string // a UUID
	serial string // of the board that asks
}

// Headers of the request's block.
const (
	headerID     = "Request-Id"
	headerSerial = "Serial-Number"
)

// request returns the one that waits for its answer, or makes one. It is durable then.
// A certificate that is to be renewed is asked for under its own subject.
func (e *Enroller) request(d files, serial string, renewed *x509.Certificate) (*request, error) {
	name := e.next()
	text, err := d.Read(name)
	switch {
	case err == nil:
		r, err := parseRequest(text)
		clear(text)
		if err == nil && r.serial == serial {
			return r, nil
		}
		if err == nil {
			err = fmt.Errorf("it is for the board %s, and this is %s", r.serial, serial)
		}
		e.Log.Warn("the key that was to be enrolled is set aside", zap.String("file", name+".bad"), zap.Error(err))
		if err := d.Rename(name, name+".bad"); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	r, err := newRequest(serial, renewed)
	if err != nil {
		return nil, err
	}
	if text, err = r.encode(); err != nil {
		return nil, err
	}
	defer clear(text)
	return r, replace(d, name, text)
}

func newRequest(serial string, renewed *x509.Certificate) (*request, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{SerialNumber: serial}}
	if renewed != nil { // RFC 7030, 4.2.2
		template = &x509.CertificateRequest{RawSubject: renewed.RawSubject}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	return &request{key, csr, newID(), serial}, err
}

// newID is a random UUID (RFC 9562, 5.4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (r *request) encode() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return append(
		pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: key}),
		pem.EncodeToMemory(&pem.Block{
			Type: blockRequest, Headers: map[string]string{headerID: r.id, headerSerial: r.serial}, Bytes: r.csr,
		})...), nil
}

func parseRequest(text []byte) (*request, error) {
	first, rest := pem.Decode(text)
	if first == nil || first.Type != blockKey {
		return nil, fmt.Errorf("%w: no key", ErrDamaged)
	}
	key, err := parseKey(first.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: its key: %w", ErrDamaged, err)
	}
	second, rest := pem.Decode(rest)
	if second == nil || second.Type != blockRequest || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: not one request behind the key", ErrDamaged)
	}
	csr, err := x509.ParseCertificateRequest(second.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: its request: %w", ErrDamaged, err)
	}
	r := &request{key, second.Bytes, second.Headers[headerID], second.Headers[headerSerial]}
	if !key.PublicKey.Equal(csr.PublicKey) || r.id == "" || r.serial == "" {
		return nil, fmt.Errorf("%w: its request is not the key's", ErrDamaged)
	}
	return r, nil
}
