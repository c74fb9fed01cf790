package main

import (
	"context"
	"io"

	"cloud.google.com/go/iot/apiv1/iotpb"
)

type devicesBind struct {
	deviceOf `embed:""`
	Gateway  string `required:"" placeholder:"HUB" help:"The gateway's id, or its number; iotbridge devices create --gateway makes one."`
}

// Help is shown after the flags.
func (*devicesBind) Help() string {
	return `A gateway speaks for devices that cannot connect by themselves: it attaches them, each by its own name. With --auth-method association-only a binding is all that this takes, with association-and-device-auth-token the device's token too, with device-auth-token-only no binding is needed. iotbridge devices list --gateway HUB shows which are bound.`
}

// Run lets the gateway speak for the device.
func (c *devicesBind) Run(ctx context.Context, out io.Writer) error {
	return c.in(ctx, out, func(ctx context.Context, api *client, registry string) error {
		_, err := api.BindDeviceToGateway(ctx, &iotpb.BindDeviceToGatewayRequest{Parent: registry, GatewayId: c.Gateway, DeviceId: c.Device})
		return err
	})
}

type devicesUnbind struct {
	deviceOf `embed:""`
	Gateway  string `required:"" placeholder:"HUB" help:"The gateway's id, or its number."`
}

// Run takes that back. Where the gateway speaks for the device now, it is detached.
func (c *devicesUnbind) Run(ctx context.Context, out io.Writer) error {
	return c.in(ctx, out, func(ctx context.Context, api *client, registry string) error {
		_, err := api.UnbindDeviceFromGateway(ctx, &iotpb.UnbindDeviceFromGatewayRequest{Parent: registry, GatewayId: c.Gateway, DeviceId: c.Device})
		return err
	})
}
