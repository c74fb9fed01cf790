package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"iotbridge/internal/loadtest"
	"iotbridge/internal/loadtest/rig"
	"iotbridge/internal/logging"
)

// benchCommand measures parts of the system under load.
type benchCommand struct {
	Gateway benchGateway `cmd:"" help:"Load an MQTT server with devices, and measure it."`
	Serve   benchServe   `cmd:"" hidden:"" help:"Serve what a bench needs, as standard input says."`
}

// benchServe is started by benchGateway.
type benchServe struct{}

// Run serves until standard input ends.
func (*benchServe) Run(ctx context.Context, stdout io.Writer, flags logging.Flags) error {
	return rig.Serve(ctx, os.Stdin, stdout, flags.Logger(os.Stderr))
}

type benchGateway struct {
	Devices     int           `default:"5000" help:"How many connect."`
	Rate        []int         `default:"5000,20000" placeholder:"N,…" help:"Messages a second of all devices together, one rate after the other."`
	For         time.Duration `default:"10s" help:"How long each rate is measured."`
	HalfOpen    int           `placeholder:"N" help:"Then open so many sockets that never speak, and measure the live devices beside them."`
	ConnectRate int           `placeholder:"N" help:"Devices that connect in a second. Default as fast as it goes."`
	TLS12       bool          `name:"tls12" help:"Speak TLS 1.2. Default 1.3."`
	JSON        bool          `name:"json" help:"Print the figures as JSON."`
}

// Validate is called by kong.
func (c *benchGateway) Validate() error {
	switch {
	case c.Devices < 1 || c.Devices > 100_000:
		return errors.New("--devices is from 1 to 100000")
	case c.HalfOpen < 0 || c.ConnectRate < 0:
		return errors.New("--half-open and --connect-rate are counts")
	case c.For < 100*time.Millisecond:
		return errors.New("--for is 100ms at the least")
	}
	for _, rate := range c.Rate {
		if rate < 1 || rate > 50*c.Devices {
			return fmt.Errorf("--rate %d: want from 1 to 50 a device, %d", rate, 50*c.Devices)
		}
	}
	return nil
}

// Run measures, and prints the table.
func (c *benchGateway) Run(ctx context.Context, stdout io.Writer) error {
	report := loadtest.NewReport()
	load := loadtest.Load{
		TLS: rig.ClientTLS(c.TLS12), Rates: c.Rate, For: c.For, HalfOpen: c.HalfOpen, ConnectRate: c.ConnectRate,
		Tell: func(what string) { fmt.Fprintln(os.Stderr, what) },
	}
	var err error
	if load.Devices, err = loadtest.NewFleet(rig.Registry, "bench", c.Devices); err != nil {
		return err
	}
	floor, ours, err := rig.Compare(ctx, []string{"bench", "serve", "--log-level", "warn"}, load)
	if err != nil {
		return err
	}
	report.End(floor, ours)
	if c.JSON {
		return report.JSON(stdout)
	}
	return report.Table(stdout)
}
