// iotbridge-agent runs on the device: it measures, keeps each reading on the disk and
// sends it to the gateway, over years, power cuts and dead networks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"iotbridge/internal/agentd"
	"iotbridge/internal/signals"
)

func main() { os.Exit(command(os.Args[1:])) }

// command returns the exit code: 1 a fault, 2 a wrong setting.
func command(args []string) int {
	ctx, stop := signals.Context(context.Background())
	defer stop()
	chosen, err := agentd.Parse(args)
	switch {
	case errors.Is(err, agentd.ErrDone):
		return 0
	case err != nil:
		return fault(2, err)
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	chosen.BindTo(os.Stdout, (*io.Writer)(nil))
	err = chosen.Run()
	if wrong := (*agentd.SettingError)(nil); errors.As(err, &wrong) {
		return fault(2, err)
	}
	return fault(1, err)
}

// fault says what is wrong, if anything, and returns the exit code.
func fault(code int, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "iotbridge-agent:", err)
	return code
}
