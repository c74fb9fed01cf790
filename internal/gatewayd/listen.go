package gatewayd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"iotbridge/internal/ops"
)

// listen takes every address of the settings, or none.
func (a *assembly) listen(ctx context.Context) (l Listeners, err error) {
	s := a.settings
	l = s.Listeners
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if a.mqtt != nil && len(l.MQTT) == 0 {
		for _, address := range s.MQTT {
			at, err := listen(ctx, address, "mqtt")
			if err != nil {
				return l, err
			}
			l.MQTT = append(l.MQTT, at)
		}
	}
	for _, one := range []struct {
		to            *net.Listener
		wanted        bool
		address, flag string
	}{
		{&l.HTTPS, a.http != nil, s.HTTPS, "device-https"},
		{&l.API, a.api != nil, s.API, "api"},
		{&l.GRPC, a.api != nil, s.GRPC, "grpc"},
	} {
		if one.wanted && *one.to == nil {
			if *one.to, err = listen(ctx, one.address, one.flag); err != nil {
				return l, err
			}
		}
	}
	if l.Ops == nil {
		l.Ops, err = ops.Listen(ctx, s.Ops)
	}
	return l, err
}

func (l *Listeners) close() {
	for _, one := range append([]net.Listener{l.HTTPS, l.API, l.GRPC, l.Ops}, l.MQTT...) {
		if one != nil {
			one.Close()
		}
	}
}

func listen(ctx context.Context, address, flag string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use: stop what listens there, or choose another address with --%s", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s may not be listened on: grant CAP_NET_BIND_SERVICE, or choose a port above 1023 with --%s", address, flag)
	case err != nil:
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return l, nil
}
