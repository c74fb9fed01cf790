package registry

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"iotbridge/gateway"
)

// bus is how gateways learn of each other: inside one process, or through the
// database that they share.
type bus interface {
	gateway.Bus
	run(ctx context.Context, g *errgroup.Group)
	record(ctx context.Context, t *tx) error // what the transaction announces, inside of it
	committed(notices []notice)
	// holding is a query of the devices that are connected, as the column device; arg
	// gives an argument its place.
	holding(arg func(any) string) string
	pulse(ctx context.Context, p gateway.Pulse) error
	pulses(ctx context.Context) ([]gateway.Pulse, error)
	close()
}

// Watch calls changed for what happens from now on, until ctx ends. It needs Run.
func (s *Store) Watch(ctx context.Context, changed func(gateway.Change)) error {
	return s.bus.Watch(ctx, changed)
}

// Claim numbers the device's sessions. It does not look whether the device is still
// there: who claims has just found it, and is told when it is deleted. ErrNotFound
// when the claim could not be kept without it.
func (s *Store) Claim(ctx context.Context, device uint64, instance string) (epoch int64, err error) {
	epoch, err = s.bus.Claim(ctx, device, instance)
	return epoch, s.engine.explain(err)
}

// Release ends a claim, unless a later one has taken its place.
func (s *Store) Release(ctx context.Context, device uint64, epoch int64) error {
	return s.engine.explain(s.bus.Release(ctx, device, epoch))
}

// Holder returns the live claim. With PostgreSQL one lives while its gateway does,
// and at most 20 s longer.
func (s *Store) Holder(ctx context.Context, device uint64) (instance string, epoch int64, err error) {
	instance, epoch, err = s.bus.Holder(ctx, device)
	return instance, epoch, s.engine.explain(err)
}

// Send hands a command to the holder of its device and waits for the Answer, or
// until ctx ends. c.ID is not read.
func (s *Store) Send(ctx context.Context, c gateway.Command) error {
	if !validSubFolder(c.SubFolder) {
		return invalid("subfolder", subFolderRule)
	}
	if err := checkSize("binary_data", c.Data, maxCommand); err != nil {
		return err
	}
	return s.engine.explain(s.bus.Send(ctx, c))
}

// Answer ends the Send of the command with that id, wherever it waits. Of an error
// its text arrives, and ErrNotConnected as such.
func (s *Store) Answer(ctx context.Context, command string, err error) error {
	return s.engine.explain(s.bus.Answer(ctx, command, err))
}

func notConnected(device uint64) error {
	return fmt.Errorf("device %d: %w", device, gateway.ErrNotConnected)
}

// exists is nil if there is such a device.
func (c conn) exists(ctx context.Context, device uint64) error {
	_, err := c.one(ctx, `SELECT 1 FROM devices WHERE number = $1`, int64(device))
	if errors.Is(err, gateway.ErrNotFound) {
		return fmt.Errorf("device %d: %w", device, err)
	}
	return err
}
