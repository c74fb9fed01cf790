package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"iotbridge/gateway"
	"iotbridge/schema"
)

// settings is what operators decide of a device, as its row keeps it.
type settings struct {
	credentials, metadata string
	blocked               bool
	logLevel              gateway.LogLevel
	authMethod            gateway.AuthMethod
}

func settingsOf(d *gateway.Device) settings {
	if d.Metadata == nil {
		d.Metadata = map[string]string{}
	}
	return settings{encodeCredentials(d.Credentials), encode(d.Metadata), d.Blocked, d.LogLevel, d.AuthMethod}
}

// since says what became of the settings before, in an action and the fields' names.
func (now settings) since(before settings) (action, fields string) {
	action = "update_device"
	var names []string
	if now.blocked != before.blocked {
		names = append(names, "blocked")
		if action = "unblock_device"; now.blocked {
			action = "block_device"
		}
	}
	if now.credentials != before.credentials {
		names = append(names, "credentials")
	}
	if now.metadata != before.metadata {
		names = append(names, "metadata")
	}
	if now.logLevel != before.logLevel {
		names = append(names, "log_level")
	}
	if now.authMethod != before.authMethod {
		names = append(names, "gateway_auth_method")
	}
	return action, strings.Join(names, ", ")
}

// CreateDevice makes a device with a number that no device ever had, and makes its
// config version 1 of d.Config.Data. The number is d.Number if there is one, and
// otherwise drawn. ErrExists when the name or the wished number is taken; a number is,
// for ever, by the first device that had it.
func (s *Store) CreateDevice(ctx context.Context, actor string, d *gateway.Device) (made *gateway.Device, err error) {
	if err := checkDevice(d); err != nil {
		return nil, err
	}
	if d.Number != 0 && !schema.ValidNumID(d.Num()) {
		return nil, invalid("num_id", "%d: want 16 digits, below 2^53; or none, for a new one", d.Number)
	}
	if err := checkSize("config.binary_data", d.Config.Data, maxConfig); err != nil {
		return nil, err
	}
	err = s.write(ctx, func(t *tx) error {
		made, err = s.createDevice(ctx, t, actor, d)
		return err
	})
	return made, err
}

func (s *Store) createDevice(ctx context.Context, t *tx, actor string, d *gateway.Device) (*gateway.Device, error) {
	registry, err := t.registryID(ctx, d.Key.RegistryKey, toHold)
	if err != nil {
		return nil, err
	}
	now := micros(time.Now())
	number, err := s.insertDevice(ctx, t, registry, d, now)
	if err != nil {
		return nil, err
	}
	if _, err := t.exec(ctx, `INSERT INTO life (device) VALUES ($1)`, number); err != nil {
		return nil, err
	}
	if _, err := t.exec(ctx, `INSERT INTO configs (device, version, data, updated, acked) VALUES ($1, 1, $2, $3, 0)`,
		number, blob(d.Config.Data), now); err != nil {
		return nil, err
	}
	made, err := t.device(ctx, d.Key)
	if err != nil {
		return nil, err
	}
	return made, t.audit(ctx, actor, "create_device", d.Key.String(), "number "+made.Num())
}

func (s *Store) insertDevice(ctx context.Context, t *tx, registry int64, d *gateway.Device, now int64) (int64, error) {
	number, err := t.takeNumber(ctx, d.Number)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", d.Key, err)
	}
	set := settingsOf(d)
	_, err = t.exec(ctx, `INSERT INTO devices (number, registry, name, credentials, blocked, metadata, log_level, is_gateway, auth_method, created, updated)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`, number, registry, d.Key.Device,
		set.credentials, set.blocked, set.metadata, set.logLevel, d.IsGateway, set.authMethod, now)
	if s.engine.taken(err) {
		err = fmt.Errorf("%s: %w", d.Key, gateway.ErrExists)
	}
	if err != nil {
		return 0, err
	}
	return number, t.noteKeys(ctx, s.engine, number, d.Credentials)
}

// UpdateDevice lets change decide on the device as it is. Credentials, blocking,
// metadata, log level and authentication method are kept; IsGateway cannot change.
func (s *Store) UpdateDevice(ctx context.Context, actor string, key gateway.DeviceKey, change func(*gateway.Device) error) (updated *gateway.Device, err error) {
	err = s.write(ctx, func(t *tx) error {
		updated, err = s.updateDevice(ctx, t, actor, key, change)
		return err
	})
	return updated, err
}

func (s *Store) updateDevice(ctx context.Context, t *tx, actor string, key gateway.DeviceKey, change func(*gateway.Device) error) (*gateway.Device, error) {
	number, err := t.number(ctx, key, toChange)
	if err != nil {
		return nil, err
	}
	d, err := t.device(ctx, key)
	if err != nil {
		return nil, err
	}
	name, isGateway, before := d.Key, d.IsGateway, settingsOf(d)
	if err := change(d); err != nil {
		return nil, err
	}
	if d.IsGateway != isGateway {
		return nil, invalid("gateway_config.gateway_type", "is decided when the device is created")
	}
	d.Key = name
	if err := checkDevice(d); err != nil {
		return nil, err
	}
	now := settingsOf(d)
	if _, err := t.exec(ctx, `UPDATE devices SET credentials = $2, blocked = $3, metadata = $4, log_level = $5, auth_method = $6, updated = $7 WHERE number = $1`,
		number, now.credentials, now.blocked, now.metadata, now.logLevel, now.authMethod, micros(time.Now())); err != nil {
		return nil, err
	}
	if now.credentials != before.credentials {
		if err := t.noteKeys(ctx, s.engine, number, d.Credentials); err != nil {
			return nil, err
		}
	}
	t.announce(gateway.Change{Kind: gateway.DeviceChanged, Device: uint64(number)})
	updated, err := t.device(ctx, key)
	if err != nil {
		return nil, err
	}
	action, fields := now.since(before)
	return updated, t.audit(ctx, actor, action, name.String(), fields)
}

// DeleteDevice deletes a device and all that is known of it; ErrInUse for a gateway
// that has devices.
func (s *Store) DeleteDevice(ctx context.Context, actor string, key gateway.DeviceKey) error {
	return s.write(ctx, func(t *tx) error {
		number, err := t.number(ctx, key, toDelete)
		if err != nil {
			return err
		}
		if _, err := t.one(ctx, `SELECT 1 FROM bindings WHERE gateway = $1 LIMIT 1`, number); err == nil {
			return fmt.Errorf("%s: %w", key, gateway.ErrInUse)
		} else if !errors.Is(err, gateway.ErrNotFound) {
			return err
		}
		d, err := t.device(ctx, key)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM devices WHERE number = $1`, number); err != nil {
			return err
		}
		t.announce(gateway.Change{Kind: gateway.DeviceChanged, Device: uint64(number)})
		return t.audit(ctx, actor, "delete_device", d.Key.String(), "number "+d.Num())
	})
}
