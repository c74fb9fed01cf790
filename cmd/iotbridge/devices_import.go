package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"text/tabwriter"
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
	Show       int      `default:"100" help:"Rows of the table at the most. With --json every device is told."`
}

// Help is shown after the flags.
func (*devicesImport) Help() string {
	return `A file is what one of these has written:

  gcloud iot devices list --registry R --region L --format json
  Device Manager's REST, projects.locations.registries.devices.list: pages as they came, one after the other
  iotbridge devices list --json
  EMQX: gcp-export.py, or GET /api/v5/gcp_devices

Ids, keys, blocking, metadata, log levels and the latest config go over; states do not, nor which devices were bound to a gateway. A device whose id is taken, and one whose id or key no registry takes, is told and left out, and the exit code is then 1. To run it again is safe: what is there with the same keys is passed over.

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

func tally(steps []migrate.Step) map[migrate.Verdict]int {
	counts := map[migrate.Verdict]int{}
	for i := range steps {
		counts[steps[i].Verdict]++
	}
	return counts
}

func (c *devicesImport) report(out io.Writer, steps []migrate.Step, registry string) error {
	if c.JSON {
		return reportJSON(out, steps)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	rows := 0
	for i := range steps {
		s := &steps[i]
		if (s.Why == "" || s.Verdict == migrate.Present) && s.Note == "" {
			continue
		}
		if rows++; rows > c.Show {
			continue
		}
		if rows == 1 {
			fmt.Fprintln(w, "DEVICE\tFROM\tVERDICT\tWHY")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", shown(s.GetId()), shown(orDash(s.From)), s.Verdict, shown(s.Why+s.Note))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if rows > c.Show {
		fmt.Fprintf(out, "and %d more: --show %d shows them\n", rows-c.Show, rows)
	}
	counts, moved, numbered := tally(steps), 0, 0
	for _, v := range []migrate.Verdict{migrate.Create, migrate.Created, migrate.Present, migrate.Collides, migrate.Refused, migrate.Failed} {
		if counts[v] > 0 {
			fmt.Fprintf(out, "%-10s %d\n", v, counts[v])
		}
	}
	for i := range steps {
		if s := &steps[i]; s.Verdict == migrate.Create || s.Verdict == migrate.Created {
			if s.From != "" && s.From != registry {
				moved++
			}
			if s.GetNumId() != 0 && s.GetNumId() != s.Number {
				numbered++
			}
		}
	}
	if moved > 0 {
		fmt.Fprintf(out, "%d of them were in another registry: their client ids begin with %s/devices/ from now on\n", moved, registry)
	}
	if numbered > 0 {
		fmt.Fprintf(out, "%d of them get another number: what connects by number, as DEVICE_ID in gcp_iot_config.txt, needs the new one; --json tells both\n", numbered)
	}
	if !c.Apply {
		fmt.Fprintln(out, "nothing was changed: --apply does it")
	}
	return nil
}

func reportJSON(out io.Writer, steps []migrate.Step) error {
	encoder := json.NewEncoder(out)
	for i := range steps {
		s := &steps[i]
		if err := encoder.Encode(struct {
			Device  string          `json:"device"`
			From    string          `json:"from,omitempty"`
			Verdict migrate.Verdict `json:"verdict"`
			Why     string          `json:"why,omitempty"`
			Note    string          `json:"note,omitempty"`
			Was     uint64          `json:"wasNumber,omitempty,string"`
			Number  uint64          `json:"number,omitempty,string"`
		}{s.GetId(), s.From, s.Verdict, s.Why, s.Note, s.GetNumId(), s.Number}); err != nil {
			return err
		}
	}
	return nil
}

// verdict is the exit code's reason.
func verdict(ctx context.Context, steps []migrate.Step) error {
	counts := tally(steps)
	out := counts[migrate.Collides] + counts[migrate.Refused] + counts[migrate.Failed]
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("cut off, with %d devices left: run it again", counts[migrate.Create])
	case out > 0:
		return fmt.Errorf("%d of %d devices do not go over", out, len(steps))
	}
	return nil
}
