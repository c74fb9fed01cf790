package rig

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime/debug"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/internal/loadtest"
)

// serverName is in the certificate of every part.
const serverName = "loadtest.invalid"

// Serve is a part's process: it serves the task that stands on the first line of in
// until that ends, or ctx does. in may still be read from when it returns.
func Serve(ctx context.Context, in io.Reader, out io.Writer, log *zap.Logger) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("no task: %w", err)
	}
	var t Task
	if err := json.Unmarshal(line, &t); err != nil {
		return fmt.Errorf("not a task: %w", err)
	}
	if err := loadtest.NeedFiles(len(t.Devices)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, lines)
	}()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	certificate, err := newCertificate()
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	ready := func() error {
		line, t.Devices = nil, nil
		debug.FreeOSMemory()
		return json.NewEncoder(out).Encode(place{l.Addr().String(), encodeCertificate(certificate)})
	}
	switch t.Part {
	case Bare:
		return serveBare(ctx, l, config, t, ready)
	case Gateway:
		return serveGateway(ctx, l, config, t, ready, log)
	case PubSub:
		return servePubSub(ctx, l, ready)
	}
	return fmt.Errorf("%q is no part", t.Part)
}

// together runs all until the first fails or ctx ends, and waits for the rest.
func together(ctx context.Context, runs ...func(ctx context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range runs {
		g.Go(func() error { return run(ctx) })
	}
	return g.Wait()
}

func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func encodeCertificate(c tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
}
