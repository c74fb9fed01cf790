package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"iotbridge/gateway"
	"iotbridge/internal/loadtest"
	"iotbridge/internal/site"
)

// local loads the local system: its whole path, to the table.
func (c *benchGateway) local(ctx context.Context, load loadtest.Load) (_ *loadtest.Result, err error) {
	s, err := site.Read(c.Local)
	if err != nil {
		return nil, err
	}
	if s.MQTT == "" {
		return nil, fmt.Errorf("%s: %w", c.Local, site.ErrNoGateway)
	}
	manager, err := s.OpenDeviceManager(ctx)
	if err != nil {
		return nil, err
	}
	defer manager.Close()
	load.Address = s.MQTT
	if err := loadtest.Trust(load.TLS, s.MQTT, s.CA); err != nil {
		return nil, err
	}
	registry := gateway.RegistryKey{Project: s.Project, Location: s.Location, Registry: s.Registry}
	prefix := "bench-" + strconv.FormatInt(time.Now().UnixMilli(), 36) + "-"
	if load.Devices, err = loadtest.NewFleet(registry, prefix, c.Devices); err != nil {
		return nil, err
	}
	load.Tell(fmt.Sprintf("%s: %d devices are registered", c.Local, c.Devices))
	remove, err := loadtest.Register(ctx, manager, load.Devices)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return load.Run(ctx, "local")
}
