package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"cloud.google.com/go/iot/apiv1/iotpb"
)

// payload is bytes that go to a device.
type payload struct {
	Data *string `xor:"payload" placeholder:"TEXT" help:"What is sent."`
	File string  `xor:"payload" type:"existingfile" placeholder:"FILE" help:"A file with what is sent."`
}

// bytes returns what is sent, and whether anything was named.
func (p *payload) bytes() (data []byte, ok bool, err error) {
	switch {
	case p.Data != nil:
		return []byte(*p.Data), true, nil
	case p.File != "":
		data, err = readFile(p.File)
		return data, true, err
	}
	return nil, false, nil
}

type devicesConfig struct {
	deviceOf `embed:""`
	payload  `embed:""`
	After    int64 `placeholder:"VERSION" help:"Send it only if this is the latest version still."`
}

// Help is shown after the flags.
func (*devicesConfig) Help() string {
	return `Without --data and --file, the last ten versions are shown. A new one reaches a device at once if it is connected and subscribed, else when it subscribes.`
}

// Run shows, or sends.
func (c *devicesConfig) Run(ctx context.Context, out io.Writer) error {
	data, send, err := c.bytes()
	if err != nil {
		return err
	}
	if !send && c.After != 0 {
		return usage("--after goes with --data or --file")
	}
	return c.on(ctx, out, func(ctx context.Context, api *client, device string) error {
		if !send {
			return c.list(ctx, api, device)
		}
		made, err := api.ModifyCloudToDeviceConfig(ctx, &iotpb.ModifyCloudToDeviceConfigRequest{Name: device, VersionToUpdate: c.After, BinaryData: data})
		if err != nil {
			return err
		}
		return api.print(made, func(out io.Writer) { fmt.Fprintf(out, "version %d\n", made.GetVersion()) })
	})
}

func (*devicesConfig) list(ctx context.Context, api *client, device string) error {
	answer, err := api.ListDeviceConfigVersions(ctx, &iotpb.ListDeviceConfigVersionsRequest{Name: device})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(api.out, 0, 0, 2, ' ', 0)
	if !api.json {
		fmt.Fprintln(w, "VERSION\tSENT\tACKNOWLEDGED\tBYTES\tDATA")
	}
	for _, v := range answer.GetDeviceConfigs() {
		if err := api.print(v, func(io.Writer) {
			fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\n", v.GetVersion(), when(v.GetCloudUpdateTime()), when(v.GetDeviceAckTime()), len(v.GetBinaryData()), glimpse(v.GetBinaryData()))
		}); err != nil {
			return err
		}
	}
	return w.Flush()
}

type devicesStates struct {
	deviceOf `embed:""`
}

// Run shows the last ten, the newest first.
func (c *devicesStates) Run(ctx context.Context, out io.Writer) error {
	return c.on(ctx, out, func(ctx context.Context, api *client, device string) error {
		answer, err := api.ListDeviceStates(ctx, &iotpb.ListDeviceStatesRequest{Name: device})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(w, "TOLD\tBYTES\tDATA")
		}
		for _, s := range answer.GetDeviceStates() {
			if err := api.print(s, func(io.Writer) {
				fmt.Fprintf(w, "%s\t%d\t%s\n", when(s.GetUpdateTime()), len(s.GetBinaryData()), glimpse(s.GetBinaryData()))
			}); err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

type devicesSend struct {
	deviceOf  `embed:""`
	payload   `embed:""`
	SubFolder string `name:"subfolder" placeholder:"S" help:"The device gets it on commands/S."`
}

// Help is shown after the flags.
func (*devicesSend) Help() string {
	return `The device must be connected and subscribed to commands. If it subscribed at QoS 1, its acknowledgement is waited for.`
}

// Run sends it.
func (c *devicesSend) Run(ctx context.Context, out io.Writer) error {
	data, send, err := c.bytes()
	if err == nil && !send {
		err = usage("--data or --file is missing: what is the command?")
	}
	if err != nil {
		return err
	}
	return c.on(ctx, out, func(ctx context.Context, api *client, device string) error {
		_, err := api.SendCommandToDevice(ctx, &iotpb.SendCommandToDeviceRequest{Name: device, BinaryData: data, Subfolder: c.SubFolder})
		return err
	})
}
