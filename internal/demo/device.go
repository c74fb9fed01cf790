package demo

import (
	"context"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/device"
	"iotbridge/device/sensor"
	"iotbridge/device/spool"
	"iotbridge/internal/buildinfo"
)

// DrainTimeout is how long a device may take to send what it holds, once it measures
// no more.
const DrainTimeout = 30 * time.Second

// A device's spool: many of them share this machine's disk and memory. A reader holds
// a whole segment.
const (
	spoolBytes   = 16 << 20
	segmentBytes = 32 << 10
)

// unit is one device at work.
type unit struct {
	settings device.Settings
	dir      string // its own
	probe    *probe
	tap      *tap
	log      *zap.Logger
}

// run lets the device measure until stop is closed, and send what it then holds. It
// ends at once with ctx. Measured or not, what is in the spool is sent.
func (u *unit) run(ctx context.Context, stop <-chan struct{}) error {
	held, err := spool.Open(filepath.Join(u.dir, "spool"), spool.Options{
		MaxBytes: spoolBytes, SegmentBytes: segmentBytes, Now: time.Now,
		Warn: func(what string) { u.log.Warn("spool", zap.String("what", what)) },
	})
	if err != nil {
		return err
	}
	agent := &device.Agent{
		Settings: u.settings, Sensor: u.probe, Spool: counted{held, u.tap.books}, Uplink: u.tap, Clock: clock{time.Now()},
		Log: u.log, Version: buildinfo.Current().Version,
	}
	before := held.Depth()
	working, end := context.WithCancel(ctx)
	defer end()
	all, working := errgroup.WithContext(working)
	all.Go(func() error { return agent.Run(working) })
	all.Go(func() error { return held.Run(working) })
	select {
	case <-stop:
		u.drain(working, agent, before)
	case <-working.Done():
	}
	end()
	err = all.Wait()
	if cerr := held.Close(); cerr != nil {
		u.log.Warn("the spool was not closed in order", zap.Error(cerr))
	}
	return err
}

// drain returns when all that the device has held or measured is confirmed, or will not
// be now.
func (u *unit) drain(ctx context.Context, agent *device.Agent, before device.Depth) {
	want := int64(u.probe.silence()) + int64(before.Records) + int64(before.Dropped)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(DrainTimeout)
	for {
		now := agent.Status()
		left := want - int64(now.Sent) - int64(now.Spool.Dropped)
		switch {
		case left <= 0:
			return
		case u.tap.refuse.Load():
			u.log.Warn("the gateway refuses the device: its readings stay in its spool", zap.Int64("readings", left))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-late:
			u.log.Warn("not everything was sent in time: the rest stays in the spool, for the next run", zap.Int64("readings", left), zap.String("link", now.Link), zap.String("error", now.LastError))
			return
		case <-tick.C:
		}
	}
}

// newUnit is a fleet's device as this publisher runs it.
func (p *Publisher) newUnit(index int, i identity, uplink device.Uplink) *unit {
	settings := device.DefaultSettings(p.Fleet.Claim(index, i.name))
	settings.Subfolder, settings.Interval = p.Fleet.SubFolder(index), p.Interval
	settings.MinInterval, settings.MaxInterval = min(settings.MinInterval, p.Interval), max(settings.MaxInterval, p.Interval)
	return &unit{
		settings: settings, dir: p.folder(index), log: p.log(index),
		probe: &probe{Simulated: sensor.Simulated{Seed: uint64(index)}, humid: settings.Subfolder == ""},
		tap:   &tap{Uplink: uplink, fleet: p.Fleet, index: index, books: p.Books},
	}
}
