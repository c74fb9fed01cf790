package rig

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"iotbridge/gateway"
	"iotbridge/internal/loadtest"
)

// Task tells a part what it serves.
type Task struct {
	Part     Part                `json:"part"`
	Registry gateway.RegistryKey `json:"registry"`
	Devices  []loadtest.Device   `json:"devices,omitempty"`
	PubSub   string              `json:"pubsub,omitempty"` // where the gateway publishes

	Boards    []string `json:"boards,omitempty"`    // serials that may become devices
	Bootstrap []byte   `json:"bootstrap,omitempty"` // DER of the certificate that they share
	AtOnce    int      `json:"atOnce,omitempty"`    // boards that ask at a time
	Store     string   `json:"store,omitempty"`     // postgres://…; "": SQLite
}

// Part is what a process serves.
type Part string

// The parts.
const (
	Bare    Part = "bare"
	Gateway Part = "gateway"
	PubSub  Part = "pubsub"

	Signer    Part = "signer"
	Provision Part = "provision"
)

// place is where a part serves.
type place struct {
	Address   string `json:"address"`
	Authority string `json:"authority"` // PEM; who issued its certificate
}

// endTime is how long a part may take to end.
const endTime = 20 * time.Second

// process is a part that runs.
type process struct {
	place
	cmd   *exec.Cmd
	stdin io.Closer
}

// start starts this program with the arguments that have it call Serve.
func start(ctx context.Context, args []string, t Task) (_ *process, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // this program, with its own arguments
	cmd.Args[0] = os.Args[0]
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = endTime
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.Cancel = stdin.Close
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", t.Part, errors.Join(err, p.end()))
		}
	}()
	if err := json.NewEncoder(stdin).Encode(t); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("it did not get ready: %w", err)
	}
	return p, json.Unmarshal(line, &p.place)
}

// end has the part end, and waits for it.
func (p *process) end() error {
	p.stdin.Close()
	stuck := time.AfterFunc(endTime, func() { _ = p.cmd.Process.Kill() })
	defer stuck.Stop()
	return p.cmd.Wait()
}
