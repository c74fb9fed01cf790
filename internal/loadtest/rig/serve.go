package rig

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/internal/loadtest"
	"iotbridge/internal/site"
)

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
	if err := loadtest.NeedFiles(len(t.Devices) + t.AtOnce); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, lines)
	}()
	dir, err := os.MkdirTemp("", "iotbridge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	certificate, err := site.ServerCertificate(dir)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(certificate.CA)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	ready := func() error {
		line, t.Devices, t.Boards = nil, nil, nil
		debug.FreeOSMemory()
		return json.NewEncoder(out).Encode(place{l.Addr().String(), string(authority)})
	}
	switch t.Part {
	case Bare:
		pair, err := tls.LoadX509KeyPair(certificate.File, certificate.Key)
		if err != nil {
			return err
		}
		return serveBare(ctx, l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, t, ready)
	case Gateway:
		return serveGateway(ctx, l, dir, certificate, t, ready, log)
	case PubSub:
		return servePubSub(ctx, l, ready)
	case Signer:
		return serveSigner(ctx, l, dir, certificate, t, ready)
	case Provision:
		return serveProvision(ctx, l, dir, certificate, t, ready, log)
	}
	return fmt.Errorf("%q is no part", t.Part)
}

// together runs all until one fails or ctx ends, and waits for the rest.
func together(ctx context.Context, runs ...func(ctx context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range runs {
		g.Go(func() error { return run(ctx) })
	}
	return g.Wait()
}
