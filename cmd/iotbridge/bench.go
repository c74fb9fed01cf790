package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"iotbridge/gateway"
	"iotbridge/internal/loadtest"
	"iotbridge/internal/loadtest/rig"
	"iotbridge/internal/logging"
)

// benchCommand measures parts of the system under load.
type benchCommand struct {
	Gateway   benchGateway   `cmd:"" help:"Load an MQTT server with devices, and measure it."`
	Provision benchProvision `cmd:"" help:"Let boards enrol, and measure it against the handshakes and signatures alone."`
	Serve     benchServe     `cmd:"" hidden:"" help:"Serve what a bench needs, as standard input says."`
}

// benchServes are the arguments by which this program is started again.
var benchServes = []string{"bench", "serve", "--log-level", "error"}

// benchServe is started by the others.
type benchServe struct{}

// Run serves until standard input ends.
func (*benchServe) Run(ctx context.Context, stdout io.Writer, flags logging.Flags) error {
	return rig.Serve(ctx, os.Stdin, stdout, flags.Logger(os.Stderr))
}

type benchGateway struct {
	Devices     int           `default:"5000" help:"How many connect, each with a key of its own."`
	Rate        []int         `default:"5000,20000" placeholder:"N,…" help:"Messages a second of all devices together; several rates are measured one after the other."`
	For         time.Duration `default:"10s" help:"How long each rate is measured."`
	HalfOpen    int           `placeholder:"N" help:"Then open so many sockets that never speak, and measure the live devices beside them."`
	ConnectRate int           `placeholder:"N" help:"Devices that connect in a second. Default as fast as it goes."`
	TLS12       bool          `name:"tls12" help:"Speak TLS 1.2. Default 1.3."`
	JSON        bool          `name:"json" help:"Print the figures as JSON."`

	Local    string `type:"path" env:"-" xor:"server" placeholder:"DIR" help:"Load the local system that serves from DIR, with devices that are registered for the time."`
	Target   string `env:"-" xor:"server" placeholder:"HOST:PORT" help:"Load any MQTT server, with the devices of --keys."`
	Keys     string `type:"existingdir" placeholder:"DIR" help:"Private keys of devices: DIR/DEVICE.pem."`
	Project  string `placeholder:"P" help:"Where the devices of --keys are registered."`
	Location string `default:"us-central1" placeholder:"L" help:"Likewise."`
	Registry string `placeholder:"R" help:"Likewise."`
	CA       string `name:"ca" type:"existingfile" placeholder:"FILE" help:"Who issued the certificate of --target, in PEM. Default whom this machine trusts."`
	PID      int    `name:"pid" placeholder:"N" help:"Process of --local or --target, to measure its memory and CPU too."`
	Own      bool   `name:"i-own-this-server" env:"-" help:"Let --target be on another machine."`
}

// Help is shown after the flags.
func (*benchGateway) Help() string {
	return `Without --local and --target, two servers are started on this machine and measured one after the other in the same way: a bare one, which verifies the devices' tokens and acknowledges every message at once, and the gateway as iotbridge-gateway runs it, before a Pub/Sub that answers after 20 ms. The bare one is what TLS, tokens and MQTT cost at the least on this machine now. The goals are set for 5000 devices on two cores that the load shares; on a machine that does something else at the time, CPU says more than time, and the ratios more than the figures.

The exit code is 1 if a device was turned away, a connection broke, or a message was not acknowledged.`
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
	case c.Target != "" && (c.Keys == "" || c.Project == "" || c.Registry == ""):
		return errors.New("--target needs --keys, --project and --registry: who its devices are")
	}
	for _, rate := range c.Rate {
		// IoT Core's devices may publish 100 a second.
		if most := 50 * c.Devices; rate < 1 || rate > most {
			return fmt.Errorf("--rate %d: %d devices publish from 1 to %d messages a second", rate, c.Devices, most)
		}
	}
	return nil
}

// Run measures, and prints the table.
func (c *benchGateway) Run(ctx context.Context, stdout io.Writer) error {
	report := loadtest.NewReport()
	load := loadtest.Load{
		TLS: loadtest.ClientTLS(c.TLS12), Rates: c.Rate, For: c.For, HalfOpen: c.HalfOpen, ConnectRate: c.ConnectRate,
		PID: c.PID, Owned: c.Own,
		Tell: func(what string) { fmt.Fprintln(os.Stderr, what) },
	}
	floor, ours, err := c.measure(ctx, load)
	if ours == nil {
		return err
	}
	report.End(floor, ours)
	if c.JSON {
		return errors.Join(report.JSON(stdout), err)
	}
	return errors.Join(report.Table(stdout), err)
}

func (c *benchGateway) measure(ctx context.Context, load loadtest.Load) (floor, ours *loadtest.Result, err error) {
	switch {
	case c.Local != "":
		ours, err = c.local(ctx, load)
		return nil, ours, err
	case c.Target != "":
		ours, err = c.target(ctx, load)
		return nil, ours, err
	}
	if load.Devices, err = loadtest.NewFleet(rig.Registry, "bench", c.Devices); err != nil {
		return nil, nil, err
	}
	return rig.Compare(ctx, benchServes, load)
}

// target loads any server.
func (c *benchGateway) target(ctx context.Context, load loadtest.Load) (_ *loadtest.Result, err error) {
	registry := gateway.RegistryKey{Project: c.Project, Location: c.Location, Registry: c.Registry}
	if load.Devices, err = loadtest.ReadFleet(registry, c.Keys, c.Devices); err != nil {
		return nil, err
	}
	load.Address = c.Target
	if err := loadtest.Trust(load.TLS, c.Target, c.CA); err != nil {
		return nil, err
	}
	return load.Run(ctx, c.Target)
}
