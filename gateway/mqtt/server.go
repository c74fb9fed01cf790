package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"iotbridge/gateway"
)

// Bridge is a *gateway.Bridge, as sessions use it.
type Bridge interface {
	Admit(ctx context.Context, a gateway.Attempt) (*gateway.Admission, error)
	Attach(ctx context.Context, via *gateway.Admission, device string, token []byte) (*gateway.Admission, error)
	Still(ctx context.Context, a *gateway.Admission) error

	Telemetry(a *gateway.Admission, subFolder string, data []byte, done func(error))
	Delay(a *gateway.Admission, bytes int) time.Duration
	SetState(ctx context.Context, a *gateway.Admission, data []byte) error
	Note(s gateway.Sign)
}

// Mailbox is what of a gateway.Mailbox sessions use.
type Mailbox interface {
	Config(ctx context.Context, device uint64) (gateway.Config, error)
	ConfigAcked(ctx context.Context, device uint64, version int64, at time.Time) error
}

// Bus is what of a gateway.Bus sessions use.
type Bus interface {
	Watch(ctx context.Context, changed func(gateway.Change)) error
	Claim(ctx context.Context, device uint64, instance string) (epoch int64, err error)
	Release(ctx context.Context, device uint64, epoch int64) error
	Holder(ctx context.Context, device uint64) (instance string, epoch int64, err error)
	Answer(ctx context.Context, command string, err error) error
}

// Server serves devices over MQTT 3.1.1. Serve and Run run side by side, with one
// context; the fields are not changed after.
type Server struct {
	Bridge   Bridge
	Mailbox  Mailbox
	Bus      Bus
	Instance string // this gateway's name on the bus
	TLS      *tls.Config

	Limits    Limits
	Chronicle *gateway.Chronicle // of connections; nil keeps none
	Metrics   *Metrics           // nil counts nothing
	Log       *zap.Logger        // nil discards

	once     sync.Once
	wrong    error
	tls      *tls.Config
	running  sync.WaitGroup // Serve, and all that it started
	sessions sessions
	doorstep doorstep
	writers  writers
	messages *semaphore.Weighted // in flight, of Limits.TotalInflight
	bytes    *semaphore.Weighted
	large    *semaphore.Weighted
	changes  atomic.Int64  // that may end a session, as they came
	errands  chan struct{} // a token for each call to the store that no session waits for
	overdue  chan struct{} // closed when no more of them is begun
}

const (
	maxErrands = 16              // calls to the store that no session waits for, at a time
	errandTime = 4 * time.Second // after Limits.Grace; then no more are begun
)

func (s *Server) defaults() error {
	s.once.Do(func() {
		if s.Bridge == nil || s.Mailbox == nil || s.Bus == nil || s.TLS == nil || s.Instance == "" {
			s.wrong = errors.New("mqtt: bridge, mailbox, bus, TLS and instance are required")
			return
		}
		s.Limits.defaults()
		if s.Metrics == nil {
			s.Metrics = NewMetrics(nil)
		}
		if s.Log == nil {
			s.Log = zap.NewNop()
		}
		s.tls = s.TLS.Clone()
		s.tls.MinVersion = max(s.tls.MinVersion, tls.VersionTLS12)
		s.messages = semaphore.NewWeighted(int64(s.Limits.TotalInflight))
		s.bytes = semaphore.NewWeighted(int64(s.Limits.TotalBytes))
		s.large = semaphore.NewWeighted(int64(s.Limits.LargeBytes))
		s.errands = make(chan struct{}, maxErrands)
		s.overdue = make(chan struct{})
	})
	return s.wrong
}

// Run tells sessions what changes in the store until ctx ends, and returns when what
// Serve started has ended, too.
func (s *Server) Run(ctx context.Context) error {
	if err := s.defaults(); err != nil {
		return err
	}
	s.watch(ctx)
	late := time.AfterFunc(s.Limits.Grace+errandTime, func() { close(s.overdue) })
	defer late.Stop()
	s.running.Wait()
	s.writers.end()
	return nil
}

// errand calls the store for nobody who waits; few at a time. Something that running
// counts must be alive.
func (s *Server) errand(ctx context.Context, call func(ctx context.Context)) {
	s.running.Go(func() {
		select {
		case s.errands <- struct{}{}:
			defer func() { <-s.errands }()
		case <-s.overdue:
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
		defer cancel()
		call(ctx)
	})
}
