package enroll

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Enroller asks for a device's credential and keeps it good. Its fields are set before
// it is used, and not changed.
type Enroller struct {
	Key         string // the private key's file; NAME.next and NAME.old are beside it
	URL         string // as ParseURL wants it
	Profile     string
	Bootstrap   Bootstrap
	ClaimSecret string                              // a file; "": the unit has none
	Roots       func() ([]*x509.Certificate, error) // who may have issued the gateway's certificate
	Unit        func() (Unit, error)
	Clock       Clock
	Check       func(*Identity) error // nil takes all; a no keeps an answer from being stored
	Renewed     func()                // there is another key in the key's file; nil: nobody wants to know
	Log         *zap.Logger           // nil discards

	open  func() (files, func(), error)                                    // nil: the real folder
	sleep func(ctx context.Context, d time.Duration, wake <-chan struct{}) // nil: the real time

	mu       sync.Mutex
	status   Status
	accepted crypto.PublicKey // the key that the gateway let in last
	wake     chan struct{}    // holds one when that is news
	once     sync.Once
}

// Clock tells the time, and whether it can be trusted.
type Clock interface {
	Now() time.Time
	Plausible() bool
}

// clockPoll is how often a clock that is not plausible is looked at.
const clockPoll = 2 * time.Second

// Status is how enrolment fares, for who asks on the machine itself.
type Status struct {
	State       string    `json:"state,omitempty"` // waiting-for-time, asking, refused, enrolled, renewing
	Error       string    `json:"error,omitempty"` // why it is not granted, or renewed
	ErrorAt     time.Time `json:"errorAt,omitzero"`
	NextAttempt time.Time `json:"nextAttempt,omitzero"`
	RenewAfter  time.Time `json:"renewAfter,omitzero"`
	NotAfter    time.Time `json:"notAfter,omitzero"` // of the certificate
}

// The states.
const (
	stateWaiting  = "waiting-for-time"
	stateAsking   = "asking"
	stateRefused  = "refused"
	stateEnrolled = "enrolled"
	stateRenewing = "renewing"
)

// Status may be asked at any time, from any goroutine.
func (e *Enroller) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status
}

// Enroll asks until the device has its credential, and returns who it is: at once when
// it has one. It ends early when ctx does, when another process is at it, and when the
// key's file holds a key that was not got by enrolling, or is damaged.
func (e *Enroller) Enroll(ctx context.Context) (*Identity, error) { return e.enroll(ctx, true) }

// EnrollOnce asks once.
func (e *Enroller) EnrollOnce(ctx context.Context) (*Identity, error) { return e.enroll(ctx, false) }

func (e *Enroller) enroll(ctx context.Context, again bool) (*Identity, error) {
	d, done, err := e.take()
	if err != nil {
		return nil, err
	}
	defer done()
	own, err := readEnrolled(d, e.name())
	if err != nil {
		return nil, fmt.Errorf("%w: move it away to enrol anew, when it is not to be saved", err)
	}
	if own != nil {
		e.granted(own.identity)
		return own.identity, nil
	}
	for failures := 0; ; failures++ {
		if err := e.awaitTime(ctx, again); err != nil {
			return nil, err
		}
		e.set(func(s *Status) { s.State, s.NextAttempt = stateAsking, time.Time{} })
		fresh, err := e.first(ctx, d, nil)
		if err == nil {
			identity := fresh.identity
			e.Log.Info("enrolled", zap.String("device", identity.Name()), zap.Time("until", identity.Certificate.NotAfter))
			e.granted(identity)
			return identity, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e.failed(stateRefused, err, 0)
		if !again {
			return nil, err
		}
		e.pause(ctx, err, failures)
	}
}

// first asks with the bootstrap certificate. own is what has expired; nil at first.
func (e *Enroller) first(ctx context.Context, d files, own *enrolled) (*enrolled, error) {
	unit, err := e.Unit()
	if err != nil {
		return nil, err
	}
	r, err := e.request(d, unit.Serial, nil)
	if err != nil {
		return nil, err
	}
	g, err := e.enrollJSON(ctx, r, unit)
	if err != nil {
		return nil, err
	}
	return e.store(d, r, g, own)
}

// store makes the key that was asked for the device's. The key's file is renamed last:
// before that the same is asked for again.
func (e *Enroller) store(d files, r *request, g *grant, own *enrolled) (*enrolled, error) {
	var was *Identity
	if own != nil {
		was = own.identity
	}
	identity, err := g.identity(r, was, e.Clock.Now())
	if err != nil {
		return nil, err
	}
	if e.Check != nil {
		if err := e.Check(identity); err != nil {
			return nil, fmt.Errorf("the gateway's answer: %w", err)
		}
	}
	fresh := &enrolled{r.key, identity}
	text, err := fresh.encode()
	if err != nil {
		return nil, err
	}
	defer clear(text)
	if own != nil {
		before, err := d.Read(e.name())
		if err != nil {
			return nil, err
		}
		defer clear(before)
		if err := replace(d, e.old(), before); err != nil {
			return nil, err
		}
	}
	if err := replace(d, e.name(), text); err != nil {
		return nil, err
	}
	if err := remove(d, e.next()); err != nil {
		e.Log.Warn("what was asked for is not taken away: it is when the agent starts again", zap.Error(err))
	}
	return fresh, nil
}

func (e *Enroller) name() string { return filepath.Base(e.Key) }
func (e *Enroller) next() string { return e.name() + ".next" }
func (e *Enroller) old() string  { return e.name() + ".old" }

// Old is the file of the key before the present one, which counts until that one was
// let in. It need not be there.
func (e *Enroller) Old() string { return e.Key + ".old" }

// take takes the folder for this process.
func (e *Enroller) take() (files, func(), error) {
	e.prepare()
	if e.open != nil {
		return e.open()
	}
	f, err := openFolder(filepath.Dir(e.Key))
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}

func (e *Enroller) prepare() {
	e.once.Do(func() {
		e.wake = make(chan struct{}, 1)
		if e.Log == nil {
			e.Log = zap.NewNop()
		}
		if e.sleep == nil {
			e.sleep = sleep
		}
	})
}

var errClock = errors.New("the clock is not plausible: nothing is asked before the machine knows the time")

// awaitTime waits until certificates can be judged.
func (e *Enroller) awaitTime(ctx context.Context, wait bool) error {
	for !e.Clock.Plausible() {
		if !wait {
			return errClock
		}
		e.set(func(s *Status) { s.State = stateWaiting })
		e.sleep(ctx, clockPoll, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func (e *Enroller) set(change func(*Status)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.status)
}

func (e *Enroller) granted(i *Identity) {
	e.set(func(s *Status) {
		*s = Status{State: stateEnrolled, RenewAfter: i.RenewAfter, NotAfter: i.Certificate.NotAfter}
	})
}

func (e *Enroller) failed(state string, err error, wait time.Duration) {
	now := e.Clock.Now()
	e.set(func(s *Status) {
		s.State, s.Error, s.ErrorAt = state, brief(err), now
		if wait > 0 {
			s.NextAttempt = now.Add(wait)
		}
	})
}

// pause waits as the failure wants it.
func (e *Enroller) pause(ctx context.Context, err error, failures int) {
	wait := pause(err, failures)
	e.failed(stateRefused, err, wait)
	e.Log.Warn("no credential yet", zap.String("error", brief(err)), zap.Duration("nextIn", wait.Round(time.Second)))
	e.sleep(ctx, wait, nil)
}

// brief makes an error fit for a status and a log: a line of bounded length.
func brief(err error) string {
	const most = 400
	text := []rune(err.Error())
	for i, c := range text {
		if c < ' ' || c == 0x7f {
			text[i] = ' '
		}
	}
	return string(text[:min(len(text), most)])
}
