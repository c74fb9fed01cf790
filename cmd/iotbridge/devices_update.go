package main

import (
	"context"
	"io"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

type devicesUpdate struct {
	deviceOf `embed:""`
	keys     `embed:""`
	AddKeys  bool              `help:"Keep the keys that it has, and add these: for a change of keys without a gap."`
	NoKeys   bool              `xor:"keys" help:"Take all its keys."`
	Metadata map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Its metadata from now on, in the place of what there is; may be repeated."`
	Logging  string            `default:"" enum:",none,error,info,debug" help:"How much of its life is logged: none, error, info or debug."`
}

// Help is shown after the flags.
func (*devicesUpdate) Help() string {
	return `Keys replace those that the device has, and a connection that used one that is gone is closed within two seconds. To change keys without a gap: --add-keys with the new one, let the device use it, then --public-key with the new one alone.`
}

// Run changes what is named and nothing else.
func (c *devicesUpdate) Run(ctx context.Context, out io.Writer) error {
	credentials, err := c.credentials()
	if err != nil {
		return err
	}
	d, mask := &iotpb.Device{Metadata: c.Metadata, LogLevel: logLevel(c.Logging)}, &fieldmaskpb.FieldMask{}
	if len(credentials) > 0 || c.NoKeys {
		mask.Paths = append(mask.Paths, "credentials")
	}
	if len(c.Metadata) > 0 {
		mask.Paths = append(mask.Paths, "metadata")
	}
	if c.Logging != "" {
		mask.Paths = append(mask.Paths, "log_level")
	}
	switch {
	case len(mask.Paths) == 0:
		return usage("nothing to change: name a --public-key, --no-keys, --metadata or --logging")
	case c.NoKeys && len(credentials) > 0, c.AddKeys && len(credentials) == 0:
		return usage("--add-keys goes with --public-key, and --no-keys without")
	}
	return c.on(ctx, out, func(ctx context.Context, api *client, device string) error {
		if c.AddKeys {
			had, err := api.GetDevice(ctx, &iotpb.GetDeviceRequest{Name: device, FieldMask: &fieldmaskpb.FieldMask{Paths: []string{"credentials"}}})
			if err != nil {
				return err
			}
			credentials = append(had.GetCredentials(), credentials...)
		}
		d.Name, d.Credentials = device, credentials
		return update(ctx, api, d, mask)
	})
}

type devicesBlock struct {
	deviceOf `embed:""`
}

// Run blocks it, wherever it is connected.
func (c *devicesBlock) Run(ctx context.Context, out io.Writer) error {
	return c.setBlocked(ctx, out, true)
}

type devicesUnblock struct {
	deviceOf `embed:""`
}

// Run lets it in again.
func (c *devicesUnblock) Run(ctx context.Context, out io.Writer) error {
	return c.setBlocked(ctx, out, false)
}

func (d *deviceOf) setBlocked(ctx context.Context, out io.Writer, blocked bool) error {
	return d.on(ctx, out, func(ctx context.Context, api *client, device string) error {
		return update(ctx, api, &iotpb.Device{Name: device, Blocked: blocked}, &fieldmaskpb.FieldMask{Paths: []string{"blocked"}})
	})
}

func update(ctx context.Context, api *client, d *iotpb.Device, mask *fieldmaskpb.FieldMask) error {
	updated, err := api.UpdateDevice(ctx, &iotpb.UpdateDeviceRequest{Device: d, UpdateMask: mask})
	if err != nil {
		return err
	}
	return api.print(updated, func(out io.Writer) { describeDevice(out, updated) })
}
