package provision

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// Authorities is an authority as it is now: an *Authority, or a file of it that is
// watched.
type Authorities interface {
	Current() *Authority
}

// Desk decides requests, in the order of the package's picture. Its fields are set
// before the first request; it may be used by several goroutines.
type Desk struct {
	Store     Store
	Authority Authorities // issues to devices; its Purpose is ForDevice
	Hooks     *Hooks      // asks the webhooks; nil: a profile that has one grants nothing
	Metrics   *Metrics    // nil counts nothing
	Log       *zap.Logger
	Now       func() time.Time // nil: time.Now

	limits limits
}

// Asks says whether who presents a certificate may ask for enrolment in the profile:
// nil, a *Refusal, or our fault. For routes that answer before there is a request.
func (d *Desk) Asks(ctx context.Context, profile string, by Presented) error {
	if by.own() == nil {
		return refuse(NoCertificate, "no client certificate")
	}
	p, err := d.Store.Profile(ctx, profile)
	switch {
	case errors.Is(err, gateway.ErrNotFound), errors.Is(err, gateway.ErrInvalid):
		return refuse(UnknownProfile, "no such profile")
	case err != nil:
		return trouble(ctx, err)
	}
	if no := p.admits(by, d.now()); no != nil {
		return no
	}
	return nil
}

// alarm counts what hints at a clone or a leak.
func (d *Desk) alarm(no *Refusal) {
	if no.Code != AlreadyProvisioned {
		return
	}
	kind := duplicateSerial
	if no.sharedKey {
		kind = duplicateKey
	}
	d.Metrics.alarm(kind)
}
