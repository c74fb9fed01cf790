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

// What admission needs of a device and its registry, in one statement that leaves
// alone whatever else is known of it. Its answer's cost does not tell which of the
// two is missing.
const (
	selectAdmission = `SELECT r.routes, r.state_topic, r.mqtt, r.http, r.log_level, r.updated,
	coalesce(d.number, 0), coalesce(d.name, ''), coalesce(d.credentials, '[]'), coalesce(d.blocked, false),
	coalesce(d.log_level, 0), coalesce(d.is_gateway, false), coalesce(d.auth_method, 0)
	FROM registries r LEFT JOIN devices d ON d.registry = r.id AND `
	ofRegistry        = ` WHERE r.project = $1 AND r.location = $2 AND r.name = $3`
	admissionByName   = selectAdmission + `d.name = $4` + ofRegistry
	admissionByNumber = selectAdmission + `d.number = $4` + ofRegistry
)

// Lookup finds a device, by name or by number, and its registry: what admission needs
// of them. With ErrNotFound it returns the registry, unless that is not there either.
func (s *Store) Lookup(ctx context.Context, key gateway.DeviceKey) (*gateway.Registry, *gateway.Device, error) {
	if err := possible(key); err != nil {
		return nil, nil, err
	}
	query, id := admissionByName, any(key.Device)
	if schema.ValidNumID(key.Device) {
		number, _ := strconv.ParseInt(key.Device, 10, 64) // its grammar says that it is one
		query, id = admissionByNumber, number
	}
	r := &gateway.Registry{Key: key.RegistryKey}
	d := &gateway.Device{Key: gateway.DeviceKey{RegistryKey: key.RegistryKey}}
	var routes []route
	var credentials []credential
	err := s.read().row(ctx, query, key.Project, key.Location, key.Registry, id).Scan(
		document{&routes}, &r.StateTopic, &r.MQTT, &r.HTTP, &r.LogLevel, moment{&r.Updated},
		&d.Number, &d.Key.Device, document{&credentials}, &d.Blocked, &d.LogLevel, &d.IsGateway, &d.AuthMethod)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil, fmt.Errorf("%s: %w", key.RegistryKey, gateway.ErrNotFound)
	case err != nil:
		return nil, nil, s.engine.explain(err)
	}
	r.Routes, d.Credentials = decodeRoutes(routes), decodeCredentials(credentials)
	if d.Number == 0 {
		return r, nil, fmt.Errorf("%s: %w", key, gateway.ErrNotFound)
	}
	return r, d, nil
}
