package registry

import (
	"context"
	"errors"
	"fmt"

	"iotbridge/gateway"
)

// Bound says whether a device may be attached to a gateway.
func (s *Store) Bound(ctx context.Context, gatewayNumber, device uint64) (bool, error) {
	_, err := s.read().one(ctx, `SELECT 1 FROM bindings WHERE gateway = $1 AND device = $2`, int64(gatewayNumber), int64(device))
	if errors.Is(err, gateway.ErrNotFound) {
		return false, nil
	}
	return err == nil, s.engine.explain(err)
}

// pair finds a gateway and a device of one registry, and keeps others from changing
// either's bindings until the transaction ends.
func (t *tx) pair(ctx context.Context, r gateway.RegistryKey, g, d string) (hub, device *gateway.Device, err error) {
	if hub, err = t.device(ctx, gateway.DeviceKey{RegistryKey: r, Device: g}); err != nil {
		return nil, nil, err
	}
	if device, err = t.device(ctx, gateway.DeviceKey{RegistryKey: r, Device: d}); err != nil {
		return nil, nil, err
	}
	if !hub.IsGateway {
		return nil, nil, invalid("gateway_id", "is not a gateway")
	}
	if device.IsGateway {
		return nil, nil, invalid("device_id", "is a gateway itself")
	}
	// In the numbers' order: two that bind the same pair wait, and never in a circle.
	for _, n := range []uint64{min(hub.Number, device.Number), max(hub.Number, device.Number)} {
		if _, err := t.one(ctx, `SELECT number FROM devices WHERE number = $1`+toChange, int64(n)); err != nil {
			return nil, nil, err
		}
	}
	return hub, device, nil
}

// Bind allows the gateway to attach the device. ErrExists when it may already,
// ErrFull when either has no room.
func (s *Store) Bind(ctx context.Context, actor string, r gateway.RegistryKey, gatewayID, deviceID string) error {
	return s.write(ctx, func(t *tx) error {
		hub, device, err := t.pair(ctx, r, gatewayID, deviceID)
		if err != nil {
			return err
		}
		for _, limit := range []struct {
			query string
			of    uint64
			most  int64
			what  string
		}{
			{`SELECT count(*) FROM bindings WHERE gateway = $1`, hub.Number, maxBoundDevices, "devices of gateway " + hub.Key.Device},
			{`SELECT count(*) FROM bindings WHERE device = $1`, device.Number, maxBoundGateways, "gateways of device " + device.Key.Device},
		} {
			if n, err := t.one(ctx, limit.query, int64(limit.of)); err != nil {
				return err
			} else if n >= limit.most {
				return fmt.Errorf("%s are %d: %w", limit.what, n, gateway.ErrFull)
			}
		}
		_, err = t.exec(ctx, `INSERT INTO bindings (gateway, device) VALUES ($1, $2)`, int64(hub.Number), int64(device.Number))
		if s.engine.taken(err) {
			return fmt.Errorf("%s bound to gateway %s: %w", device.Key, hub.Key.Device, gateway.ErrExists)
		} else if err != nil {
			return err
		}
		t.announce(gateway.Change{Kind: gateway.DeviceChanged, Device: device.Number})
		return t.audit(ctx, actor, "bind_device", device.Key.String(), "to gateway "+hub.Key.Device)
	})
}

// Unbind takes that back. ErrNotFound when it was not bound.
func (s *Store) Unbind(ctx context.Context, actor string, r gateway.RegistryKey, gatewayID, deviceID string) error {
	return s.write(ctx, func(t *tx) error {
		hub, device, err := t.pair(ctx, r, gatewayID, deviceID)
		if err != nil {
			return err
		}
		n, err := t.exec(ctx, `DELETE FROM bindings WHERE gateway = $1 AND device = $2`, int64(hub.Number), int64(device.Number))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%s bound to gateway %s: %w", device.Key, hub.Key.Device, gateway.ErrNotFound)
		}
		t.announce(gateway.Change{Kind: gateway.DeviceChanged, Device: device.Number})
		return t.audit(ctx, actor, "unbind_device", device.Key.String(), "from gateway "+hub.Key.Device)
	})
}
