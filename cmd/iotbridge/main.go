// iotbridge is the operator's program: the whole system on one machine, and the
// commands that look into a running one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"iotbridge/internal/config"
	"iotbridge/internal/logging"
	"iotbridge/internal/signals"
)

const description = `Run and inspect the path from devices over Pub/Sub to BigQuery that trusts only who really sent a message.

Start with "iotbridge local": it runs everything on this machine, with one liar among the devices. Then, from another terminal, "iotbridge quarantine list" shows what the liar sent.`

type commands struct {
	Local      localCommand      `cmd:"" help:"Run the whole system on this machine."`
	Console    consoleCommand    `cmd:"" help:"Print a link that signs in to the gateway's console, in a browser."`
	Registries registriesCommand `cmd:"" help:"Make and look at registries: sets of devices, and where their messages go."`
	Devices    devicesCommand    `cmd:"" help:"Register devices, look at them, talk to them, block them."`
	Provision  provisionCommand  `cmd:"" help:"Let boards become devices by themselves: profiles, lists, claims."`
	Messages   messagesCommand   `cmd:"" help:"Look at the messages of a subscription."`
	Quarantine quarantineCommand `cmd:"" help:"Look at refused messages, and bring them back."`
	Schema     schemaCommand     `cmd:"" help:"Look at the tables' columns and where they come from."`
	Bench      benchCommand      `cmd:"" help:"Measure parts of the system under load."`

	Completion    kongcompletion.Completion `cmd:"" help:"Print the code that teaches a shell to complete these commands."`
	Version       kong.VersionFlag          `help:"Show the version."`
	Config        config.File               `placeholder:"FILE.yaml" help:"Read settings from this file."`
	logging.Flags `embed:""`
}

func main() { os.Exit(command(os.Args[1:])) }

// command returns the exit code: 1 a fault, 2 a wrong command line.
func command(args []string) int {
	ctx, stop := signals.Context(context.Background())
	defer stop()
	var c commands
	program := config.Program{Name: "iotbridge", Description: description, EnvPrefix: "IOTBRIDGE"}
	chosen, err := program.Parse(&c, args)
	switch {
	case errors.Is(err, config.ErrDone):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "iotbridge:", err)
		return 2
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	chosen.BindTo(os.Stdout, (*io.Writer)(nil))
	if err := chosen.Run(c.Flags); err != nil {
		fmt.Fprintln(os.Stderr, "iotbridge:", err)
		if _, ok := errors.AsType[usage](err); ok {
			return 2
		}
		return 1
	}
	return 0
}
