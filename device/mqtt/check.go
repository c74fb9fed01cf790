package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// These are Connect's steps one by one, for who wants to know which of them does not
// work. Each says in its error what the cause is, and its cure.

// Resolve asks for the gateway's addresses.
func (u *Uplink) Resolve(ctx context.Context) ([]netip.Addr, error) {
	o, err := u.settled()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, errTooSlow)
	defer cancel()
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, err
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, o.explain(ctx, err)
	}
	return addresses, nil
}

// Reach opens a connection, says whereto, and closes it.
func (u *Uplink) Reach(ctx context.Context) (net.Addr, error) {
	o, err := u.settled()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, errTooSlow)
	defer cancel()
	conn, err := o.Dial(ctx, "tcp", o.Address)
	if err != nil {
		return nil, o.explain(ctx, err)
	}
	defer conn.Close()
	return conn.RemoteAddr(), nil
}

// Peer is who answered.
type Peer struct {
	Version string              // TLS 1.2 or TLS 1.3
	Chain   []*x509.Certificate // the gateway's own first; the root last, when it was accepted
}

// Handshake speaks TLS with the gateway. A peer that was not accepted is shown beside
// the error, as far as it has shown itself.
func (u *Uplink) Handshake(ctx context.Context) (Peer, error) {
	o, err := u.settled()
	if err != nil {
		return Peer{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, errTooSlow)
	defer cancel()
	conn, err := o.handshake(ctx)
	if err != nil {
		var peer Peer
		if refused := (*tls.CertificateVerificationError)(nil); errors.As(err, &refused) {
			peer.Chain = refused.UnverifiedCertificates
		}
		return peer, o.explain(ctx, err)
	}
	defer conn.raw.Close()
	state := conn.ConnectionState()
	return Peer{Version: tls.VersionName(state.Version), Chain: state.VerifiedChains[0]}, nil
}

// Accepted connects with a token, subscribes and leaves. The gateway lets a device in
// once only: a session that it has elsewhere is closed by this.
func (u *Uplink) Accepted(ctx context.Context) error {
	s, err := u.Connect(ctx, nobody{})
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

type nobody struct{}

func (nobody) Config([]byte)          {}
func (nobody) Command(string, []byte) {}

// ClientID is how the device calls itself towards the gateway.
func (u *Uplink) ClientID() string {
	return fmt.Sprintf("projects/%s/locations/%s/registries/%s/devices/%s", u.Project, u.Region, u.Registry, u.Device)
}
