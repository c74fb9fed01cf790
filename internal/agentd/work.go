package agentd

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/device"
	"iotbridge/device/enroll"
	"iotbridge/device/mqtt"
	"iotbridge/device/spool"
	"iotbridge/internal/buildinfo"
)

// work is what the agent does once its settings are known to be good.
type work struct {
	settings *Settings
	clock    device.Clock
	spool    *spool.Spool
	enroller *enroll.Enroller // nil: the key is the owner's
	log      *zap.Logger
	level    *zap.AtomicLevel
	began    time.Time

	agent atomic.Pointer[device.Agent] // nil until the device has its credential
}

// run enrols, then measures and sends. A device that is nobody yet measures nothing.
func (w *work) run(ctx context.Context) error {
	s, err := w.settings.enrol(ctx, w.enroller)
	switch {
	case errors.Is(err, context.Canceled): // it was told to stop
		return nil
	case err != nil:
		return err
	}
	uplink, err := w.uplink(s)
	if err != nil {
		return err
	}
	sensors, err := s.sensors()
	if err != nil {
		return err
	}
	agent := &device.Agent{
		Settings: s.core(w.level), Sensor: sensors, Spool: w.spool, Uplink: uplink, Clock: w.clock,
		Log: w.log, Version: buildinfo.Current().Version,
	}
	w.agent.Store(agent)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return agent.Run(ctx) })
	if w.enroller != nil {
		g.Go(func() error {
			if err := w.enroller.Run(ctx); err != nil {
				w.log.Warn("the credential is not renewed", zap.Error(err))
			}
			return nil
		})
	}
	return g.Wait()
}

// uplink is the way to the gateway.
func (w *work) uplink(s *Settings) (device.Uplink, error) {
	if w.enroller == nil {
		return s.uplink(w.clock, w.log)
	}
	k := &keys{
		newest: s.key(), before: w.enroller.Old(), accepted: w.enroller.Accepted,
		with: func(key *mqtt.Key) device.Uplink { return s.uplinkWith(key, w.clock, w.log) },
	}
	w.enroller.Renewed = k.renewed
	return k, nil
}

// enrolment is for the status; nothing without provisioning.
func (w *work) enrolment() enroll.Status {
	if w.enroller == nil {
		return enroll.Status{}
	}
	return w.enroller.Status()
}

// linkEnrolling is a device's link that has no credential yet.
const linkEnrolling = "enrolling"

func (w *work) status() device.Status {
	if agent := w.agent.Load(); agent != nil {
		return agent.Status()
	}
	e := w.enrolment()
	return device.Status{
		Time: w.clock.Now(), ClockSynced: w.clock.Plausible(), Link: linkEnrolling, Since: w.began,
		LastError: e.Error, LastErrorAt: e.ErrorAt, Spool: w.spool.Depth(), Interval: w.settings.Interval.String(),
	}
}

// uplink is the way to the gateway with the key that is there; it is gone later.
func (s *Settings) uplink(clock device.Clock, log *zap.Logger) (*mqtt.Uplink, error) {
	key, err := mqtt.LoadKey(s.key())
	if err != nil {
		return nil, err
	}
	return s.uplinkWith(key, clock, log), nil
}

func (s *Settings) uplinkWith(key *mqtt.Key, clock device.Clock, log *zap.Logger) *mqtt.Uplink {
	return &mqtt.Uplink{
		Address: s.address(), Project: s.ProjectID, Region: s.Region, Registry: s.RegistryID, Device: s.DeviceID,
		Key: key, Roots: s.roots(), Now: clock.Now, Lifetime: s.TokenLifetime, KeepAlive: s.Keepalive, Log: log,
	}
}
