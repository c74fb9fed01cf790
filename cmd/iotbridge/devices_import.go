package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"iotbridge/internal/migrate"
)

type devicesImport struct {
	registryOf `embed:""`
	Files      []string `arg:"" name:"file" help:"Lists of devices; - is standard input."`
	Apply      bool     `help:"Do it. Without, nothing is changed and only told what would be."`
	NewNumbers bool     `help:"Give every device a new number. What connects by number, as DEVICE_ID in gcp_iot_config.txt, needs to be told the new one."`
	Show       int      `default:"100" help:"Rows of the table at the most. With --json every device is told."`
}

// Help is shown after the flags.
func (*devicesImport) Help() string {
	return `A file is what one of these has written:

  gcloud iot devices list --registry R --region L --format json
  Device Manager's REST, projects.locations.registries.devices.list: pages as they came, one after the other
  iotbridge devices list --json
  EMQX: gcp-export.py, or GET /api/v5/gcp_devices

Ids, numbers, keys, blocking, metadata, log levels and the latest config go over; states do not, nor which devices were bound to a gateway, which iotbridge devices bind does. A device that connected by its number goes on doing so when project, region and registry are named as before. A device whose id or number is taken, and one whose id or key no registry takes, is told and left out, and the exit code is then 1. A number is taken when any device of the gateway has it, or a deleted one had it; those of other registries and of deleted devices are known with --apply only. To run it again is safe: what is there with the same keys is passed over.

Google's list has all of this only with --format json and its fields asked for; a device without keys goes over without keys.`
}

// Run plans, and with --apply does it.
func (c *devicesImport) Run(ctx context.Context, out io.Writer) error {
	devices, err := c.read()
	if err != nil {
		return err
	}
	return c.work(ctx, out, func(ctx context.Context, api *client) error {
		registry, err := c.name(api)
		if err != nil {
			return err
		}
		there, err := registered(ctx, api, registry)
		if err != nil {
			return err
		}
		steps := migrate.Plan(devices, there, time.Now())
		if c.Apply {
			apply(ctx, api, registry, steps)
		}
		if err := c.report(out, steps, registry); err != nil {
			return err
		}
		return verdict(ctx, steps)
	})
}

func (c *devicesImport) read() ([]migrate.Device, error) {
	var devices []migrate.Device
	for _, name := range c.Files {
		file := os.Stdin
		if name != "-" {
			var err error
			if file, err = os.Open(name); err != nil {
				return nil, err
			}
		}
		for d, err := range migrate.Read(file) {
			if err != nil {
				file.Close()
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			d.Renumber = c.NewNumbers
			devices = append(devices, d)
		}
		file.Close()
	}
	return devices, nil
}

// registered is the registry as it is: devices and their keys, by id.
func registered(ctx context.Context, api *client, registry string) (map[string]*iotpb.Device, error) {
	there := map[string]*iotpb.Device{}
	it := api.ListDevices(ctx, &iotpb.ListDevicesRequest{Parent: registry, PageSize: pageSize, FieldMask: &fieldmaskpb.FieldMask{Paths: []string{"credentials"}}})
	for {
		d, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return there, nil
		}
		if err != nil {
			return nil, err
		}
		there[d.GetId()] = d
	}
}

// apply does it, and says every few seconds how far it is.
func apply(ctx context.Context, api *client, registry string, steps []migrate.Step) {
	total := tally(steps)[migrate.Create]
	var done atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		migrate.Apply(ctx, api, registry, steps, &done)
	}()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			fmt.Fprintf(os.Stderr, "iotbridge: %d of %d devices\n", done.Load(), total)
		}
	}
}
