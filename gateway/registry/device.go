package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"iotbridge/gateway"
	"iotbridge/schema"
)

// A device with its latest config and state, and the signs of its life.
const deviceColumns = `SELECT d.number, d.name, d.credentials, d.blocked, d.metadata, d.log_level, d.is_gateway, d.auth_method, d.created, d.updated,
	l.heartbeat, l.event, l.state, l.config_send, l.config_ack, l.error, l.error_code, l.error_message, l.via, l.gateway,
	c.version, c.data, c.updated, c.acked, s.data, s.updated FROM `

const (
	deviceJoins = `
	JOIN life l ON l.device = d.number
	JOIN configs c ON c.device = d.number AND c.version = (SELECT max(version) FROM configs WHERE device = d.number)
	LEFT JOIN states s ON s.device = d.number AND s.number = (SELECT max(number) FROM states WHERE device = d.number)
	WHERE `
	selectDevice = deviceColumns + `devices d` + deviceJoins
)

func scanDevice(row interface{ Scan(...any) error }, registry gateway.RegistryKey) (*gateway.Device, error) {
	d := gateway.Device{Key: gateway.DeviceKey{RegistryKey: registry}}
	var credentials []credential
	var status gateway.Status
	var state gateway.State
	err := row.Scan(&d.Number, &d.Key.Device, document{&credentials}, &d.Blocked, document{&d.Metadata}, &d.LogLevel, &d.IsGateway, &d.AuthMethod,
		moment{&d.Created}, moment{&d.Updated}, moment{&d.LastHeartbeat}, moment{&d.LastEvent}, moment{&d.LastState},
		moment{&d.LastConfigSend}, moment{&d.LastConfigAck}, moment{&d.LastError}, &status.Code, &status.Message,
		moment{&d.LastGatewayTime}, &d.LastGateway, &d.Config.Version, octets{&d.Config.Data}, moment{&d.Config.Updated}, moment{&d.Config.Acked},
		octets{&state.Data}, moment{&state.Updated})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, gateway.ErrNotFound
	}
	d.Credentials = decodeCredentials(credentials)
	if !d.LastError.IsZero() {
		d.LastErrorStatus = &status
	}
	if !state.Updated.IsZero() {
		d.State = &state
	}
	return &d, err
}

// byKey is a condition on a device, by its name or number, that takes four arguments.
func byKey(key gateway.DeviceKey) (condition string, args []any) {
	condition = `d.registry = (SELECT id FROM registries WHERE project = $1 AND location = $2 AND name = $3) AND `
	args = []any{key.Project, key.Location, key.Registry}
	if schema.ValidNumID(key.Device) {
		number, _ := strconv.ParseInt(key.Device, 10, 64) // its grammar says that it is one
		return condition + `d.number = $4`, append(args, number)
	}
	return condition + `d.name = $4`, append(args, key.Device)
}

// possible refuses what no device can be named by, before it reaches the database.
func possible(key gateway.DeviceKey) error {
	if known(key.RegistryKey) && (schema.ValidID(key.Device) || schema.ValidNumID(key.Device)) {
		return nil
	}
	return fmt.Errorf("a device whose name is none: %w", gateway.ErrNotFound)
}

func (c conn) device(ctx context.Context, key gateway.DeviceKey) (*gateway.Device, error) {
	if err := possible(key); err != nil {
		return nil, err
	}
	condition, args := byKey(key)
	d, err := scanDevice(c.row(ctx, selectDevice+condition, args...), key.RegistryKey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return d, nil
}

// number finds a device and locks its row until the transaction ends.
func (t *tx) number(ctx context.Context, key gateway.DeviceKey, lock string) (int64, error) {
	if err := possible(key); err != nil {
		return 0, err
	}
	condition, args := byKey(key)
	n, err := t.one(ctx, `SELECT d.number FROM devices d WHERE `+condition+lock, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	return n, nil
}

// Device finds by name or by number, and only in that registry.
func (s *Store) Device(ctx context.Context, key gateway.DeviceKey) (*gateway.Device, error) {
	d, err := s.read().device(ctx, key)
	return d, s.engine.explain(err)
}
