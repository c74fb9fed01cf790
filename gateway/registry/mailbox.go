package registry

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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

// sign is a gateway.Sign as it travels in one query's argument.
type sign struct {
	Device     uint64 `json:"device"`
	Heartbeat  int64  `json:"heartbeat"`
	Event      int64  `json:"event"`
	ConfigSend int64  `json:"config_send"`
	Error      int64  `json:"error"`
	Code       int32  `json:"code"`
	Message    string `json:"message"`
	Via        int64  `json:"via"`
	Gateway    string `json:"gateway"`
}

// merged is one sign a device, in the devices' order: two gateways that note the
// same devices wait for each other, and never in a circle.
func merged(signs []gateway.Sign) []sign {
	of := map[uint64]*sign{}
	for _, n := range signs {
		s := of[n.Device]
		if s == nil {
			s = &sign{Device: n.Device}
			of[n.Device] = s
		}
		s.Heartbeat = max(s.Heartbeat, micros(n.Heartbeat))
		s.Event = max(s.Event, micros(n.Event))
		s.ConfigSend = max(s.ConfigSend, micros(n.ConfigSend))
		if at := micros(n.Error); at > s.Error && n.ErrorStatus != nil {
			s.Error, s.Code, s.Message = at, n.ErrorStatus.Code, printable(n.ErrorStatus.Message, 1024)
		}
		if at := micros(n.Via); at > s.Via {
			s.Via, s.Gateway = at, printable(n.Gateway, 255)
		}
	}
	list := make([]sign, 0, len(of))
	for _, s := range of {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b sign) int { return cmp.Compare(a.Device, b.Device) })
	return list
}

const noteSigns = `UPDATE life SET
	heartbeat = CASE WHEN v.heartbeat > life.heartbeat THEN v.heartbeat ELSE life.heartbeat END,
	event = CASE WHEN v.event > life.event THEN v.event ELSE life.event END,
	config_send = CASE WHEN v.config_send > life.config_send THEN v.config_send ELSE life.config_send END,
	error = CASE WHEN v.error > life.error THEN v.error ELSE life.error END,
	error_code = CASE WHEN v.error > life.error THEN v.code ELSE life.error_code END,
	error_message = CASE WHEN v.error > life.error THEN v.message ELSE life.error_message END,
	via = CASE WHEN v.via > life.via THEN v.via ELSE life.via END,
	gateway = CASE WHEN v.via > life.via THEN v.gateway ELSE life.gateway END
	FROM (SELECT CAST(value->>'device' AS BIGINT) AS device, CAST(value->>'heartbeat' AS BIGINT) AS heartbeat, CAST(value->>'event' AS BIGINT) AS event,
		CAST(value->>'config_send' AS BIGINT) AS config_send, CAST(value->>'error' AS BIGINT) AS error, CAST(value->>'code' AS INTEGER) AS code,
		value->>'message' AS message, CAST(value->>'via' AS BIGINT) AS via, value->>'gateway' AS gateway
		FROM json_array_elements($1::json)) v
	WHERE life.device = v.device`

// Note books a batch in one statement. Times only go forward; devices that are gone
// are passed over.
func (s *Store) Note(ctx context.Context, signs []gateway.Sign) error {
	if len(signs) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, noteSigns, encode(merged(signs)))
		return err
	})
}
