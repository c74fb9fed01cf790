// iotbridge-ingest is the worker: it moves messages from Pub/Sub into BigQuery and
// trusts only the attributes that the gateway set.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"

	"iotbridge/internal/buildinfo"
	"iotbridge/internal/config"
	"iotbridge/internal/ingestd"
	"iotbridge/internal/logging"
	"iotbridge/internal/memlimit"
	"iotbridge/internal/ops"
	"iotbridge/internal/signals"
)

const description = `Move messages from Pub/Sub into BigQuery, trusting only the attributes that the gateway set.

A message whose body claims another device, or that cannot be read, goes into the quarantine with its raw bytes and the reason. Nothing is acknowledged before BigQuery has confirmed it.`

type settings struct {
	ingestd.Settings `embed:""`
	logging.Flags    `embed:""`
	Config           config.File      `placeholder:"FILE.yaml" help:"Read settings from this file; its key routes lists several routes."`
	Check            bool             `help:"Check configuration, reachability, permissions and schema, a line each, and exit: 1 on the first fault."`
	Healthy          bool             `help:"Ask the worker that runs here, at --ops, whether it can answer, and exit: 1 when it cannot."`
	Version          kong.VersionFlag `help:"Show the version."`
}

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit code: 1 is a fault, 2 a wrong setting.
func run(args []string) int {
	var s settings
	program := config.Program{
		Name: "iotbridge-ingest", Description: description, EnvPrefix: "INGEST",
		Structured: map[string]any{"routes": &s.Routes},
	}
	switch _, err := program.Parse(&s, args); {
	case errors.Is(err, config.ErrDone):
		return 0
	case err != nil:
		return fault(2, err)
	}
	if s.Healthy { // the rest of the settings may be unknown to who asks
		return fault(1, ops.Healthy(context.Background(), s.Ops))
	}
	if err := s.Fault(); err != nil {
		return fault(2, err)
	}
	s.Endpoints = ingestd.EndpointsFromEnv()
	ctx, stop := signals.Context(context.Background())
	defer stop()
	if s.Check {
		return fault(1, ingestd.Check(ctx, s.Settings, os.Stdout))
	}
	log := s.Flags.Logger(os.Stderr)
	defer log.Sync() //nolint:errcheck // a terminal cannot be synced
	memlimit.Set(log)
	memlimit.CollectAt(35)
	log.Info("starting", zap.Stringer("build", buildinfo.Current()))
	if err := ingestd.Run(ctx, s.Settings, log, ops.NewRegistry()); err != nil {
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
	fmt.Fprintln(os.Stderr, "iotbridge-ingest:", err)
	return code
}
