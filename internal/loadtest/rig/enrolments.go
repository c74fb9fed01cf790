package rig

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"iotbridge/gateway/provision"
	"iotbridge/internal/loadtest"
)

// CompareEnrolments has the same boards enrol at the signer, and then at a gateway on
// SQLite and, if there is an address, one on PostgreSQL. args have this program call
// Serve.
func CompareEnrolments(ctx context.Context, args []string, boards []loadtest.Board, atOnce int, postgres string, tell func(string)) (floor *loadtest.Enrolled, gateways []*loadtest.Enrolled, err error) {
	bootstrap, err := newBootstrap()
	if err != nil {
		return nil, nil, err
	}
	answers, err := start(ctx, args, Task{Part: PubSub})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, answers.end()) }()
	enrol := func(name string, t Task) (*loadtest.Enrolled, error) {
		tell(fmt.Sprintf("%s: %d boards enrol, %d at a time", name, len(boards), atOnce))
		t.Registry, t.Bootstrap, t.AtOnce = Registry, bootstrap.Certificate[0], atOnce
		for _, b := range boards {
			t.Boards = append(t.Boards, b.Serial)
		}
		return enrolAt(ctx, args, name, t, &loadtest.Enrolments{Boards: boards, AtOnce: atOnce, TLS: boardTLS(bootstrap)})
	}
	if floor, err = enrol("bare", Task{Part: Signer}); err != nil {
		return nil, nil, err
	}
	tasks := []struct{ name, store string }{{"SQLite", ""}}
	if postgres != "" {
		tasks = append(tasks, struct{ name, store string }{"PostgreSQL", postgres})
	}
	for _, one := range tasks {
		ours, err := enrol("gateway, "+one.name, Task{Part: Provision, PubSub: answers.Address, Store: one.store})
		if err != nil {
			return floor, gateways, err
		}
		gateways = append(gateways, ours)
	}
	return floor, gateways, nil
}

func enrolAt(ctx context.Context, args []string, name string, t Task, load *loadtest.Enrolments) (_ *loadtest.Enrolled, err error) {
	p, err := start(ctx, args, t)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ended := p.end(); ended != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, ended))
		}
	}()
	load.PID = p.cmd.Process.Pid
	if err := aim(load, p.place); err != nil {
		return nil, err
	}
	return load.Run(ctx, name)
}

// aim has the load ask where a part serves.
func aim(load *loadtest.Enrolments, at place) error {
	load.Address, load.Path = at.Address, "/v1/provisioning/"+Profile+":enroll"
	load.TLS.ServerName, load.TLS.RootCAs = "127.0.0.1", x509.NewCertPool()
	if !load.TLS.RootCAs.AppendCertsFromPEM([]byte(at.Authority)) {
		return errors.New("no authority")
	}
	return nil
}

// boardTLS is how a board speaks TLS: a full handshake each time, with the certificate
// that all share.
func boardTLS(bootstrap tls.Certificate) *tls.Config {
	c := loadtest.ClientTLS(false)
	c.Certificates = []tls.Certificate{bootstrap}
	return c
}

// newBootstrap makes the certificate that the boards share, as provision init makes it.
func newBootstrap() (c tls.Certificate, err error) {
	var keys [2]*ecdsa.PrivateKey // the authority's, the boards'
	for i := range keys {
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return c, err
		}
	}
	now := time.Now()
	root, err := provision.NewRoot(provision.ForBootstrap, "bench", keys[0], now, boardLife)
	if err != nil {
		return c, err
	}
	authority := &provision.Authority{Purpose: provision.ForBootstrap, Signer: keys[0]}
	if authority.Certificate, err = x509.ParseCertificate(root); err != nil {
		return c, err
	}
	public, err := x509.MarshalPKIXPublicKey(keys[1].Public())
	if err != nil {
		return c, err
	}
	leaf, err := authority.Issue(provision.Leaf{CommonName: Profile, PublicKey: public, Lifetime: boardLife}, now)
	return tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: keys[1]}, err
}
