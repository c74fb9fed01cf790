package httpbridge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"iotbridge/gateway"
)

// Bridge is a *gateway.Bridge, as requests use it.
type Bridge interface {
	Admit(ctx context.Context, a gateway.Attempt) (*gateway.Admission, error)
	Attach(ctx context.Context, via *gateway.Admission, device string, token []byte) (*gateway.Admission, error)
	Telemetry(a *gateway.Admission, subFolder string, data []byte, done func(error))
	SetState(ctx context.Context, a *gateway.Admission, data []byte) error
	Note(s gateway.Sign)
}

// Mailbox is what of a gateway.Mailbox requests use.
type Mailbox interface {
	Config(ctx context.Context, device uint64) (gateway.Config, error)
}

// Directory is what of a gateway.Directory requests use.
type Directory interface {
	Device(ctx context.Context, key gateway.DeviceKey) (*gateway.Device, error)
	Bound(ctx context.Context, gateway, device uint64) (bool, error)
}

// How long a device may take.
const (
	headTime = 10 * time.Second // for TLS, and again for a request's head
	bodyTime = 20 * time.Second // for head and body
	idleTime = time.Minute      // between two requests
	// workTime is for a request's work and the writing of its answer; Pub/Sub is
	// tried for 30 s.
	workTime  = 60 * time.Second
	storeTime = 10 * time.Second
	maxHead   = 16 << 10 // bytes
)

// Limits bounds what devices may take. Zero values are the defaults.
type Limits struct {
	Connections int // in all, 10,000
	PerAddress  int // of one IPv4 address or IPv6 /64, 1,000
	BodyBytes   int // of bodies that are being read, 64 MiB

	Grace time.Duration // for the requests under way at the end, 10 s
}

// Server serves devices over HTTPS. The fields are not changed once it serves.
type Server struct {
	Bridge    Bridge
	Mailbox   Mailbox
	Directory Directory
	TLS       *tls.Config
	// Provisioning, if any, serves /.well-known/est/ and /v1/provisioning/. Clients are
	// then asked for certificates; which of them may do what is for it to say.
	Provisioning http.Handler

	Limits  Limits
	Metrics *Metrics    // nil counts nothing
	Log     *zap.Logger // nil discards

	bodies *semaphore.Weighted
}

// Serve lets devices in at l until ctx ends; what is under way then is still answered,
// within Limits.Grace. It closes l. It is called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.Bridge == nil || s.Mailbox == nil || s.Directory == nil || s.TLS == nil {
		l.Close()
		return errors.New("device HTTPS: bridge, mailbox, directory and TLS are required")
	}
	s.defaults()
	config := s.TLS.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = []string{"http/1.1"}
	if s.Provisioning != nil {
		config.ClientAuth = tls.RequestClientCert
	}
	server := &http.Server{
		Handler:           s,
		TLSConfig:         config,
		ReadHeaderTimeout: headTime,
		ReadTimeout:       bodyTime,
		WriteTimeout:      workTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          zap.NewStdLog(zap.NewNop()), // what strangers do wrong at TLS
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		// One request at a time on a connection, so that its deadlines bound it.
		Protocols: new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := server.ServeTLS(&doorstep{Listener: l, limits: &s.Limits}, "", "")
		if !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("device HTTPS: %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limits.Grace)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
		return nil
	})
	return g.Wait()
}

func (s *Server) defaults() {
	l := &s.Limits
	if l.Connections <= 0 {
		l.Connections = 10_000
	}
	if l.PerAddress <= 0 {
		l.PerAddress = 1000
	}
	if l.BodyBytes <= 0 {
		l.BodyBytes = 64 << 20
	}
	if l.Grace <= 0 {
		l.Grace = 10 * time.Second
	}
	if s.Metrics == nil {
		s.Metrics = NewMetrics(nil)
	}
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	s.bodies = semaphore.NewWeighted(int64(l.BodyBytes))
}
