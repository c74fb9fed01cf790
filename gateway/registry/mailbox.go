package registry

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"iotbridge/gateway"
)

// SetConfig makes the next version and drops the eleventh last.
func (s *Store) SetConfig(ctx context.Context, actor string, key gateway.DeviceKey, version int64, data []byte) (made gateway.Config, err error) {
	if err := checkSize("binary_data", data, maxConfig); err != nil {
		return gateway.Config{}, err
	}
	err = s.write(ctx, func(t *tx) error {
		number, err := t.number(ctx, key, toChange)
		if err != nil {
			return err
		}
		d, err := t.device(ctx, key)
		if err != nil {
			return err
		}
		if version != 0 && version != d.Config.Version {
			return fmt.Errorf("%s: config version %d: %w, to %d", d.Key, version, gateway.ErrConflict, d.Config.Version)
		}
		made = gateway.Config{Version: d.Config.Version + 1, Data: bytes.Clone(data), Updated: fromMicros(micros(time.Now()))}
		if _, err := t.exec(ctx, `INSERT INTO configs (device, version, data, updated, acked) VALUES ($1, $2, $3, $4, 0)`,
			number, made.Version, blob(data), micros(made.Updated)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM configs WHERE device = $1 AND version <= $2`, number, made.Version-keptConfig); err != nil {
			return err
		}
		t.announce(gateway.Change{Kind: gateway.ConfigChanged, Device: uint64(number)})
		return t.audit(ctx, actor, "set_config", d.Key.String(), fmt.Sprintf("version %d, %d bytes", made.Version, len(data)))
	})
	return made, err
}

// Configs returns the newest versions first: most of them, all that are kept for 0.
func (s *Store) Configs(ctx context.Context, key gateway.DeviceKey, most int) ([]gateway.Config, error) {
	d, err := s.Device(ctx, key)
	if err != nil {
		return nil, err
	}
	var list []gateway.Config
	err = s.read().each(ctx, func(r *sql.Rows) (bool, error) {
		var c gateway.Config
		err := r.Scan(&c.Version, octets{&c.Data}, moment{&c.Updated}, moment{&c.Acked})
		list = append(list, c)
		return false, err
	}, `SELECT version, data, updated, acked FROM configs WHERE device = $1 ORDER BY version DESC LIMIT $2`, int64(d.Number), kept(most, keptConfig))
	return list, s.engine.explain(err)
}

// States returns the newest states first: most of them, all that are kept for 0.
func (s *Store) States(ctx context.Context, key gateway.DeviceKey, most int) ([]gateway.State, error) {
	d, err := s.Device(ctx, key)
	if err != nil {
		return nil, err
	}
	var list []gateway.State
	err = s.read().each(ctx, func(r *sql.Rows) (bool, error) {
		var st gateway.State
		err := r.Scan(octets{&st.Data}, moment{&st.Updated})
		list = append(list, st)
		return false, err
	}, `SELECT data, updated FROM states WHERE device = $1 ORDER BY number DESC LIMIT $2`, int64(d.Number), kept(most, keptStates))
	return list, s.engine.explain(err)
}

func kept(most, all int) int {
	if most <= 0 || most > all {
		return all
	}
	return most
}

// SetState keeps a state, and drops the eleventh last.
func (s *Store) SetState(ctx context.Context, device uint64, data []byte, at time.Time) error {
	if err := checkSize("state", data, maxState); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		if _, err := t.one(ctx, `SELECT number FROM devices WHERE number = $1`+toChange, int64(device)); err != nil {
			return fmt.Errorf("device %d: %w", device, err)
		}
		last, err := t.one(ctx, `SELECT coalesce(max(number), 0) FROM states WHERE device = $1`, int64(device))
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO states (device, number, data, updated) VALUES ($1, $2, $3, $4)`,
			int64(device), last+1, blob(data), micros(at)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM states WHERE device = $1 AND number <= $2`, int64(device), last+1-keptStates); err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE life SET state = $2 WHERE device = $1 AND state < $2`, int64(device), micros(at))
		return err
	})
}

// Config returns the latest version.
func (s *Store) Config(ctx context.Context, device uint64) (gateway.Config, error) {
	var c gateway.Config
	err := s.read().row(ctx, `SELECT version, data, updated, acked FROM configs WHERE device = $1 ORDER BY version DESC LIMIT 1`, int64(device)).
		Scan(&c.Version, octets{&c.Data}, moment{&c.Updated}, moment{&c.Acked})
	if errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("device %d: %w", device, gateway.ErrNotFound)
	}
	return c, s.engine.explain(err)
}

// ConfigAcked books that the device has a version. The first time counts; of a
// version that is not kept any more only the device's time.
func (s *Store) ConfigAcked(ctx context.Context, device uint64, version int64, at time.Time) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(ctx, `UPDATE configs SET acked = $3 WHERE device = $1 AND version = $2 AND acked = 0`, int64(device), version, micros(at)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE life SET config_ack = $2 WHERE device = $1 AND config_ack < $2`, int64(device), micros(at)); err != nil {
			return err
		}
		return t.exists(ctx, device)
	})
}
