package gatewayd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"iotbridge/gateway/provision/office"
)

// operatorsREST is Device Manager, and beside it what operators do about provisioning.
func (a *assembly) operatorsREST() http.Handler {
	desk := &office.API{Place: office.Place{Books: a.store.Provisioning(), Location: "projects/" + a.settings.Project + "/locations/" + a.settings.Location}}
	manager, provisioning := a.api.Handler(), a.api.Guard(desk.Call, desk.Answer)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.EscapedPath(), office.Root) {
			provisioning.ServeHTTP(w, r)
			return
		}
		manager.ServeHTTP(w, r)
	})
}

// serveREST serves operators at l until ctx ends, and then for at most grace what it
// is answering.
func (a *assembly) serveREST(ctx context.Context, l net.Listener, grace time.Duration) error {
	server := &http.Server{
		Handler:           a.operatorsPages(),
		TLSConfig:         a.apiTLS.Clone(), // the server changes it
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      90 * time.Second, // a call takes a minute at the most
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          zap.NewStdLog(zap.NewNop()), // what strangers do wrong at TLS
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		serve := server.Serve
		if a.apiTLS != nil {
			serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("operators' REST: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		until, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(until) != nil {
			server.Close()
		}
		return nil
	})
	return g.Wait()
}

// serveGRPC is serveREST over gRPC.
func (a *assembly) serveGRPC(ctx context.Context, l net.Listener, grace time.Duration) error {
	options := []grpc.ServerOption{grpc.WaitForHandlers(true)}
	if a.apiTLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(a.apiTLS.Clone())))
	}
	server := a.api.GRPC(options...)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before it had begun
			return fmt.Errorf("operators' gRPC: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		defer time.AfterFunc(grace, server.Stop).Stop()
		server.GracefulStop()
		return nil
	})
	return g.Wait()
}
