package provision

import (
	"context"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// Desk decides requests, in the order of the package's picture. Its fields are set
// before the first request; it may be used by several goroutines.
type Desk struct {
	Store     Store
	Authority *Authority // issues to devices; its Purpose is ForDevice
	Hooks     *Hooks     // nil: the webhooks of profiles are asked with Hooks' zero value
	Metrics   *Metrics   // nil counts nothing
	Log       *zap.Logger
	Now       func() time.Time // nil: time.Now

	limits limits
}

// Enroll grants a unit a credential. The error is a *Refusal, or our fault and may
// pass. Request.PublicKey is one that ParseCSR or VerifyProof has accepted.
func (d *Desk) Enroll(ctx context.Context, r Request) (*Grant, error) {
	return nil, refuse(StoreUnavailable, "nothing decides yet")
}

// Renew gives a device a second certificate, for the new key spki. presented is the
// chain that TLS has verified possession of, the device's certificate first; it must
// be one that a claim names. u is the unit that the request names, if any; it must be
// the claim's. Errors are Enroll's.
func (d *Desk) Renew(ctx context.Context, presented Presented, spki []byte, u Unit, from netip.Addr) (*Grant, error) {
	return nil, refuse(StoreUnavailable, "nothing decides yet")
}

// Self returns the claim that names the device's certificate. Errors are Enroll's.
func (d *Desk) Self(ctx context.Context, presented Presented) (*Claim, error) {
	return nil, refuse(StoreUnavailable, "nothing decides yet")
}

// Asks says whether who presents a certificate may ask for enrolment in the profile:
// nil, a *Refusal, or our fault. For routes that answer before there is a request.
func (d *Desk) Asks(ctx context.Context, profile string, by Presented) error {
	return refuse(StoreUnavailable, "nothing decides yet")
}
