package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"iotbridge/gateway"
)

const registryColumns = `project, location, name, routes, state_topic, mqtt, http, log_level, authorities, updated FROM registries`

func scanRegistry(row interface{ Scan(...any) error }) (*gateway.Registry, error) {
	var r gateway.Registry
	var routes []route
	err := row.Scan(&r.Key.Project, &r.Key.Location, &r.Key.Registry, document{&routes}, &r.StateTopic, &r.MQTT, &r.HTTP,
		&r.LogLevel, document{&r.Authorities}, moment{&r.Updated})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, gateway.ErrNotFound
	}
	r.Routes = decodeRoutes(routes)
	return &r, err
}

func (c conn) registry(ctx context.Context, key gateway.RegistryKey) (*gateway.Registry, error) {
	if !known(key) {
		return nil, fmt.Errorf("a registry whose name is none: %w", gateway.ErrNotFound)
	}
	r, err := scanRegistry(c.row(ctx, `SELECT `+registryColumns+` WHERE project = $1 AND location = $2 AND name = $3`,
		key.Project, key.Location, key.Registry))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return r, nil
}

// What a transaction does to a registry's row: others may meanwhile not delete it,
// not change it, not touch it.
const (
	toHold   = ` FOR KEY SHARE`
	toChange = ` FOR NO KEY UPDATE`
	toDelete = ` FOR UPDATE`
)

// registryID finds a registry's row, and with a lock keeps it until the transaction ends.
func (c conn) registryID(ctx context.Context, key gateway.RegistryKey, lock string) (int64, error) {
	if !known(key) {
		return 0, fmt.Errorf("a registry whose name is none: %w", gateway.ErrNotFound)
	}
	id, err := c.one(ctx, `SELECT id FROM registries WHERE project = $1 AND location = $2 AND name = $3`+lock,
		key.Project, key.Location, key.Registry)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	return id, nil
}

// Registry returns a registry.
func (s *Store) Registry(ctx context.Context, key gateway.RegistryKey) (*gateway.Registry, error) {
	r, err := s.read().registry(ctx, key)
	return r, s.engine.explain(err)
}

// CreateRegistry makes a registry and returns it as it is kept.
func (s *Store) CreateRegistry(ctx context.Context, actor string, r *gateway.Registry) (made *gateway.Registry, err error) {
	if err := checkRegistry(r); err != nil {
		return nil, err
	}
	err = s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO registries (project, location, name, routes, state_topic, mqtt, http, log_level, authorities, updated)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, r.Key.Project, r.Key.Location, r.Key.Registry,
			encodeRoutes(r.Routes), r.StateTopic, r.MQTT, r.HTTP, r.LogLevel, encode(r.Authorities), micros(time.Now()))
		if s.engine.taken(err) {
			return fmt.Errorf("%s: %w", r.Key, gateway.ErrExists)
		} else if err != nil {
			return err
		}
		if made, err = t.registry(ctx, r.Key); err != nil {
			return err
		}
		return t.audit(ctx, actor, "create_registry", r.Key.String(), "")
	})
	return made, err
}

// UpdateRegistry lets change decide on the registry as it is; the key stays.
func (s *Store) UpdateRegistry(ctx context.Context, actor string, key gateway.RegistryKey, change func(*gateway.Registry) error) (updated *gateway.Registry, err error) {
	err = s.write(ctx, func(t *tx) error {
		id, err := t.registryID(ctx, key, toChange)
		if err != nil {
			return err
		}
		r, err := t.registry(ctx, key)
		if err != nil {
			return err
		}
		if err := change(r); err != nil {
			return err
		}
		r.Key = key
		if err := checkRegistry(r); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE registries SET routes = $2, state_topic = $3, mqtt = $4, http = $5, log_level = $6, authorities = $7, updated = $8
			WHERE id = $1`, id, encodeRoutes(r.Routes), r.StateTopic, r.MQTT, r.HTTP, r.LogLevel, encode(r.Authorities), micros(time.Now())); err != nil {
			return err
		}
		t.announce(gateway.Change{Kind: gateway.RegistryChanged, Registry: key})
		if updated, err = t.registry(ctx, key); err != nil {
			return err
		}
		return t.audit(ctx, actor, "update_registry", key.String(), "")
	})
	return updated, err
}

// DeleteRegistry deletes an empty registry; ErrInUse while it has devices.
func (s *Store) DeleteRegistry(ctx context.Context, actor string, key gateway.RegistryKey) error {
	return s.write(ctx, func(t *tx) error {
		id, err := t.registryID(ctx, key, toDelete)
		if err != nil {
			return err
		}
		if _, err := t.one(ctx, `SELECT 1 FROM devices WHERE registry = $1 LIMIT 1`, id); err == nil {
			return fmt.Errorf("%s: %w", key, gateway.ErrInUse)
		} else if !errors.Is(err, gateway.ErrNotFound) {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM registries WHERE id = $1`, id); err != nil {
			return err
		}
		t.announce(gateway.Change{Kind: gateway.RegistryChanged, Registry: key})
		return t.audit(ctx, actor, "delete_registry", key.String(), "")
	})
}

// Registries returns a page of a location's registries by name.
func (s *Store) Registries(ctx context.Context, inProject, inLocation string, page gateway.Page) ([]*gateway.Registry, string, error) {
	if !project.MatchString(inProject) || !location.MatchString(inLocation) {
		return nil, "", invalid("parent", "want a project id and a location's name")
	}
	scope := encode([]string{"registries", inProject, inLocation})
	after, size, err := s.pages.open(scope, page)
	if err != nil {
		return nil, "", err
	}
	var list []*gateway.Registry
	more := false
	err = s.read().each(ctx, func(rows *sql.Rows) (bool, error) {
		if more = len(list) == size; more {
			return true, nil
		}
		r, err := scanRegistry(rows)
		list = append(list, r)
		return false, err
	}, `SELECT `+registryColumns+` WHERE project = $1 AND location = $2 AND name > $3 ORDER BY name LIMIT $4`,
		inProject, inLocation, after, size+1)
	if err != nil || !more {
		return list, "", s.engine.explain(err)
	}
	return list, s.pages.sign(scope, list[len(list)-1].Key.Registry), nil
}
