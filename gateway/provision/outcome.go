package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// storeRetry is when to ask again after trouble of ours.
const storeRetry = 30 * time.Second

// errMoved ends a transaction: what was decided on is not there any more.
var errMoved = errors.New("changed meanwhile")

// busy is our trouble, as the device is told it.
func busy(detail string, cause error) *Refusal {
	return &Refusal{Code: StoreUnavailable, Detail: detail, RetryAfter: storeRetry, Cause: cause}
}

func trouble(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return busy("the store does not answer", err)
}

// moved is trouble, unless the profile went while it was looked at.
func moved(ctx context.Context, err error) error {
	if errors.Is(err, gateway.ErrNotFound) {
		return errMoved
	}
	return trouble(ctx, err)
}

// settled translates what Settle returns.
func settled(ctx context.Context, p *Profile, err error) error {
	var no *Refusal
	switch {
	case errors.As(err, &no), errors.Is(err, errMoved):
		return err
	case errors.Is(err, gateway.ErrFull):
		return full(p)
	case errors.Is(err, gateway.ErrExists):
		return refuse(AlreadyProvisioned, "%s", printable(err.Error(), maxSubject))
	case errors.Is(err, gateway.ErrNotFound):
		return errMoved
	case errors.Is(err, gateway.ErrInvalid):
		return fmt.Errorf("what profile %s, or its webhook, gives the device: %w", p.ID, err)
	}
	return trouble(ctx, err)
}

// tell counts and logs what came of a request, and returns the error.
func (d *Desk) tell(g *Grant, err error, begin time.Time, profile, serial, request string) error {
	log := d.Log
	if log == nil {
		log = zap.NewNop()
	}
	log = log.With(zap.String("profile", printable(profile, maxSubject)), zap.String("serial", printable(serial, maxSerial)), zap.String("request", printable(request, maxSubject)))
	result := fault
	var no *Refusal
	switch {
	case err == nil && g.Fresh:
		result = granted
		log.Info("provision: granted", zap.String("device", g.Claim.Device.String()))
	case err == nil:
		result = again
	case errors.As(err, &no):
		result = string(no.Code) // who has asked logs it
		d.alarm(no)
	case errors.Is(err, context.Canceled):
		result = string(gone)
	default:
		log.Error("provision: undecided", zap.Error(err))
	}
	d.Metrics.observe(result, time.Since(begin))
	return err
}
