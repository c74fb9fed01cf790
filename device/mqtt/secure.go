package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"iotbridge/device"
)

// maxPEM bounds a key file and maxRoots a bundle of CA certificates, in bytes.
const (
	maxPEM   = 64 << 10
	maxRoots = 4 << 20
)

var errTooSlow = errors.New("the time for connecting was up")

// secured is a TLS connection and what is under it.
type secured struct {
	*tls.Conn
	raw net.Conn
}

// handshake dials and speaks TLS. The certificate must be for the address's host and
// signed under Roots; there is no switch that says otherwise.
func (u *Uplink) handshake(ctx context.Context) (*secured, error) {
	roots, err := LoadRoots(u.Roots)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range roots {
		pool.AddCert(c)
	}
	host, _, err := net.SplitHostPort(u.Address)
	if err != nil {
		return nil, err
	}
	raw, err := u.Dial(ctx, "tcp", u.Address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12, Time: u.Now})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return &secured{conn, raw}, nil
}

// LoadRoots reads a bundle of CA certificates. Several stand for several authorities,
// or for the old one and the new one while a change is under way. One that Go cannot
// read is left out; a file without any that it can is an error.
func LoadRoots(path string) ([]*x509.Certificate, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	if stat.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("CA certificates %s: anybody may change the file (%04o): chmod o-w %s", path, stat.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxRoots+1))
	if err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	if len(text) > maxRoots {
		return nil, fmt.Errorf("CA certificates %s: more than %d bytes", path, maxRoots)
	}
	var roots []*x509.Certificate
	var unread error
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			unread = err
			continue
		}
		roots = append(roots, c)
	}
	switch {
	case len(roots) > 0:
		return roots, nil
	case unread != nil:
		return nil, fmt.Errorf("CA certificates %s: %w", path, unread)
	case bytes.Contains(text, []byte("PRIVATE KEY")):
		return nil, fmt.Errorf("CA certificates %s: the file holds a private key: want the CA's certificate in PEM", path)
	}
	return nil, fmt.Errorf("CA certificates %s: no certificate in the file: want PEM, -----BEGIN CERTIFICATE-----", path)
}

// explain names the cause and the cure of what kept us from the gateway.
func (u *Uplink) explain(ctx context.Context, err error) error {
	if refused := (*device.Refused)(nil); errors.As(err, &refused) {
		return err
	}
	if cause := context.Cause(ctx); errors.Is(cause, errTooSlow) {
		return fmt.Errorf("gateway %s: not connected within %s: the network is slow, or something between drops what we send: %w", u.Address, u.Timeout, err)
	} else if cause != nil {
		return cause
	}
	if cure := u.cure(err); cure != "" {
		return fmt.Errorf("gateway %s: %s: %w", u.Address, cure, err)
	}
	return fmt.Errorf("gateway %s: %w", u.Address, err)
}

func (u *Uplink) cure(err error) string {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		noTLS     tls.RecordHeaderError
		noHost    *net.DNSError
	)
	switch {
	case errors.As(err, &authority):
		return "its certificate is not signed by an authority in " + u.Roots + ": copy the gateway's CA certificate there (beside the old one, while a change is under way)"
	case errors.As(err, &hostname):
		return "its certificate is for another host, or names it in the CN only: use the name the certificate was made for, or make one with this name as subject alternative name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is not valid at this machine's time, " + u.Now().UTC().Format("2006-01-02 15:04") + " UTC: set the clock, or renew the certificate"
	case errors.As(err, &noTLS):
		return "it does not speak TLS on this port: check the port (MQTT over TLS is 8883)"
	case strings.Contains(err.Error(), "protocol version"): // crypto/tls has no type for its peer's alert, nor for its own
		return "it speaks no TLS 1.2 or newer: the gateway must be updated, or something between weakens the connection"
	case errors.As(err, &noHost) && noHost.IsNotFound:
		return "there is no such host: check the name, and the DNS server in /etc/resolv.conf"
	case errors.As(err, &noHost):
		return "its name was not resolved: check the network, and the DNS server in /etc/resolv.conf"
	}
	return ""
}
