package gatewayd

import (
	"context"
	"errors"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
	"iotbridge/gateway/registry"
)

// door is the bridge as devices meet it: for those of one project and location, and
// not for who has failed too often.
type door struct {
	*gateway.Bridge
	project, location string
	throttle          auth.Throttle
	used              *uses // nil: nobody is provisioned
	telemetry         *byRegistry
}

// Telemetry is the bridge's, counted by registry.
func (d *door) Telemetry(a *gateway.Admission, subFolder string, data []byte, done func(error)) {
	d.telemetry.count(a.Device.Key.Registry)
	d.Bridge.Telemetry(a, subFolder, data, done)
}

// Admit is the bridge's. A device that does not belong here is looked at like any.
func (d *door) Admit(ctx context.Context, a gateway.Attempt) (*gateway.Admission, error) {
	now := time.Now()
	if !d.throttle.Allow(a.Remote, a.Key, now) {
		return nil, &gateway.Refusal{Reason: gateway.Throttled}
	}
	admission, err := d.Bridge.Admit(ctx, a)
	if err == nil && (a.Key.Project != d.project || a.Key.Location != d.location) {
		admission, err = nil, &gateway.Refusal{Reason: gateway.UnknownRegistry}
	}
	var refusal *gateway.Refusal
	if errors.As(err, &refusal) && !refusal.Fault {
		d.throttle.Failed(a.Remote, a.Key, now)
	}
	if err == nil {
		d.used.tell(ctx, admission, now)
	}
	return admission, err
}

// Attach is the bridge's.
func (d *door) Attach(ctx context.Context, via *gateway.Admission, device string, token []byte) (*gateway.Admission, error) {
	admission, err := d.Bridge.Attach(ctx, via, device, token)
	if err == nil {
		d.used.tell(ctx, admission, time.Now())
	}
	return admission, err
}

// admin is the store as operators meet it: a registry that no device could reach
// from here is not made.
type admin struct {
	*registry.Store
	project, location string
}

func (a admin) CreateRegistry(ctx context.Context, actor string, r *gateway.Registry) (*gateway.Registry, error) {
	if r.Key.Project != a.project || r.Key.Location != a.location {
		return nil, &gateway.InvalidError{Field: "parent", Reason: "this gateway serves projects/" + a.project + "/locations/" + a.location}
	}
	return a.Store.CreateRegistry(ctx, actor, r)
}
