// iotbridge-gateway is the door: devices built for Google Cloud IoT Core connect to
// it, and what they send is published under the identity that they have proved.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"

	"iotbridge/gateway/registry"
	"iotbridge/internal/buildinfo"
	"iotbridge/internal/config"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/logging"
	"iotbridge/internal/memlimit"
	"iotbridge/internal/ops"
	"iotbridge/internal/signals"
)

const description = `Let devices in that were built for Google Cloud IoT Core, over MQTT and HTTPS, and publish what they send under the identity that they have proved.

A device is told that a message has arrived only when Pub/Sub has confirmed it. Operators manage registries and devices over Device Manager's own API.`

type settings struct {
	gatewayd.Settings `embed:""`
	logging.Flags     `embed:""`
	Config            config.File      `placeholder:"FILE.yaml" help:"Read settings from this file."`
	Check             bool             `help:"Check configuration, certificates, store and topics, a line each, and exit: 1 on the first fault."`
	Healthy           bool             `help:"Ask the gateway that runs here, at --ops, whether it can answer, and exit: 1 when it cannot."`
	Backup            string           `type:"path" placeholder:"FILE" help:"Write a copy of the store's SQLite file, as it is at one moment, to a new file, and exit. A gateway may be at work on it."`
	Version           kong.VersionFlag `help:"Show the version."`
}

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit code: 1 a fault, 2 a wrong setting.
func run(args []string) int {
	var s settings
	program := config.Program{Name: "iotbridge-gateway", Description: description, EnvPrefix: "GATEWAY"}
	switch _, err := program.Parse(&s, args); {
	case errors.Is(err, config.ErrDone):
		return 0
	case err != nil:
		return fault(2, err)
	}
	switch { // who asks for these need not know the rest of the settings
	case s.Healthy:
		return fault(1, ops.Healthy(context.Background(), s.Ops))
	case s.Backup != "":
		return fault(1, registry.Backup(context.Background(), s.Store, s.Backup))
	}
	if err := s.Fault(); err != nil {
		return fault(2, err)
	}
	s.PubSub, s.BigQuery = gatewayd.PubSubFromEnv(), gatewayd.BigQueryFromEnv()
	ctx, stop := signals.Context(context.Background())
	defer stop()
	if s.Check {
		return fault(1, gatewayd.Check(ctx, s.Settings, os.Stdout))
	}
	log := s.Flags.Logger(os.Stderr)
	defer log.Sync() //nolint:errcheck // a terminal cannot be synced
	memlimit.Set(log)
	memlimit.CollectAt(gatewayd.Garbage)
	log.Info("starting", zap.Stringer("build", buildinfo.Current()))
	if err := gatewayd.Run(ctx, s.Settings, log, ops.NewRegistry()); err != nil {
		log.Error("ended", zap.Error(err))
		return 1
	}
	log.Info("ended in order")
	return 0
}

// fault says what is wrong, if anything, and returns the exit code.
func fault(code int, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "iotbridge-gateway:", err)
	return code
}
