package rig

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"iotbridge/gateway"
	"iotbridge/internal/loadtest"
)

// Registry is where the fleet of a comparison is registered.
var Registry = gateway.RegistryKey{Project: "loadtest", Location: "us-central1", Registry: "RaspberryPiDevices"}

// Compare puts the same load on the bare server and then on the gateway. args have
// this program call Serve. Address, TLS and PID of the load are the rig's. With an
// error, what was measured before it is returned, too.
func Compare(ctx context.Context, args []string, load loadtest.Load) (floor, ours *loadtest.Result, err error) {
	answers, err := start(ctx, args, Task{Part: PubSub})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, answers.end()) }()
	if floor, err = measure(ctx, args, load, Task{Part: Bare}); err != nil {
		return floor, nil, err
	}
	ours, err = measure(ctx, args, load, Task{Part: Gateway, PubSub: answers.Address})
	return floor, ours, err
}

func measure(ctx context.Context, args []string, load loadtest.Load, t Task) (_ *loadtest.Result, err error) {
	t.Registry, t.Devices = Registry, load.Devices
	if load.Tell != nil {
		load.Tell(fmt.Sprintf("%s: starts, with %d devices registered", t.Part, len(t.Devices)))
	}
	p, err := start(ctx, args, t)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ended := p.end(); ended != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", t.Part, ended))
		}
	}()
	load.Address, load.PID = p.Address, p.cmd.Process.Pid
	load.TLS = load.TLS.Clone()
	load.TLS.ServerName, load.TLS.RootCAs = "127.0.0.1", x509.NewCertPool()
	if !load.TLS.RootCAs.AppendCertsFromPEM([]byte(p.Authority)) {
		return nil, fmt.Errorf("%s: no authority", t.Part)
	}
	return load.Run(ctx, string(t.Part))
}
