package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

type devicesCommand struct {
	Create   devicesCreate   `cmd:"" help:"Register a device with its public key, and print its configuration file."`
	List     devicesList     `cmd:"" help:"List the devices of a registry."`
	Describe devicesDescribe `cmd:"" help:"Show a device: keys, signs of life, last error."`
	Update   devicesUpdate   `cmd:"" help:"Change a device's keys, metadata or log level."`
	Block    devicesBlock    `cmd:"" help:"Block a device: it is disconnected at once and kept out."`
	Unblock  devicesUnblock  `cmd:"" help:"Let a blocked device in again."`
	Bind     devicesBind     `cmd:"" help:"Let a gateway speak for a device."`
	Unbind   devicesUnbind   `cmd:"" help:"Let it do so no longer: the device is detached at once."`
	Delete   devicesDelete   `cmd:"" help:"Delete a device, with its configs and states."`
	Config   devicesConfig   `cmd:"" help:"Show a device's configs, or send it a new one."`
	Command  devicesSend     `cmd:"" help:"Send a command to a device that is connected now."`
	States   devicesStates   `cmd:"" help:"Show what a device told of itself."`
	Import   devicesImport   `cmd:"" help:"Bring devices over from Google Cloud IoT Core, or from EMQX."`
}

// registryOf says in which registry.
type registryOf struct {
	door     `embed:""`
	Registry string `placeholder:"R" help:"The devices' registry. Default: the local system's."`
}

// in opens the door, and finds the registry's full name.
func (r *registryOf) in(ctx context.Context, out io.Writer, do func(ctx context.Context, api *client, registry string) error) error {
	return r.call(ctx, out, func(ctx context.Context, api *client) error {
		registry, err := r.name(api)
		if err != nil {
			return err
		}
		return do(ctx, api, registry)
	})
}

// name is projects/P/locations/L/registries/R.
func (r *registryOf) name(api *client) (string, error) {
	switch {
	case r.Registry != "":
		return api.region + "/registries/" + r.Registry, nil
	case api.registry != "":
		return api.region + "/registries/" + api.registry, nil
	}
	return "", usage("--registry is missing: the devices of which one?")
}

// deviceOf says which device.
type deviceOf struct {
	registryOf `embed:""`
	Device     string `arg:"" help:"Its id, or its number."`
}

// on opens the door, and finds the device's full name.
func (d *deviceOf) on(ctx context.Context, out io.Writer, do func(ctx context.Context, api *client, device string) error) error {
	return d.in(ctx, out, func(ctx context.Context, api *client, registry string) error {
		return do(ctx, api, registry+"/devices/"+d.Device)
	})
}

// pageSize is how many devices a page of a list has.
const pageSize = 500

type devicesList struct {
	registryOf `embed:""`
	Gateway    string `placeholder:"HUB" help:"Only those that are bound to this gateway."`
	Limit      int    `default:"1000" help:"So many at the most."`
}

// Run lists, by id.
func (c *devicesList) Run(ctx context.Context, out io.Writer) error {
	return c.in(ctx, out, func(ctx context.Context, api *client, registry string) error {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(w, "DEVICE\tNUMBER\tBLOCKED\tKEYS\tLAST HEARTBEAT\tLAST EVENT")
		}
		request := &iotpb.ListDevicesRequest{Parent: registry, PageSize: pageSize, FieldMask: listed(c.JSON)}
		if c.Gateway != "" {
			request.GatewayListOptions = &iotpb.GatewayListOptions{Filter: &iotpb.GatewayListOptions_AssociationsGatewayId{AssociationsGatewayId: c.Gateway}}
		}
		it := api.ListDevices(ctx, request)
		for range c.Limit {
			d, err := it.Next()
			if errors.Is(err, iterator.Done) {
				break
			}
			if err == nil {
				err = api.print(d, func(io.Writer) {
					fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\t%s\n", d.GetId(), d.GetNumId(), yesNo(d.GetBlocked()), len(d.GetCredentials()), when(d.GetLastHeartbeatTime()), when(d.GetLastEventTime()))
				})
			}
			if err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

// listed is what a list asks for: as JSON, all that an import takes.
func listed(all bool) *fieldmaskpb.FieldMask {
	paths := []string{"id", "num_id", "name", "blocked", "credentials", "last_heartbeat_time", "last_event_time"}
	if all {
		paths = append(paths, "metadata", "log_level", "gateway_config", "config", "last_state_time", "last_error_time", "last_error_status")
	}
	return &fieldmaskpb.FieldMask{Paths: paths}
}

type devicesDescribe struct {
	deviceOf `embed:""`
}

// Run shows it.
func (c *devicesDescribe) Run(ctx context.Context, out io.Writer) error {
	return c.on(ctx, out, func(ctx context.Context, api *client, device string) error {
		d, err := api.GetDevice(ctx, &iotpb.GetDeviceRequest{Name: device})
		if err != nil {
			return err
		}
		return api.print(d, func(out io.Writer) { describeDevice(out, d) })
	})
}

type devicesDelete struct {
	deviceOf `embed:""`
	Yes      bool `help:"Do not ask."`
}

// Run deletes it.
func (c *devicesDelete) Run(ctx context.Context, out io.Writer) error {
	if err := confirm("Delete the device "+shown(c.Device)+", with its keys, configs and states?", c.Yes); err != nil {
		return err
	}
	return c.on(ctx, out, func(ctx context.Context, api *client, device string) error {
		return api.DeleteDevice(ctx, &iotpb.DeleteDeviceRequest{Name: device})
	})
}
