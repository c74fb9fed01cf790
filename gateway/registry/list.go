package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"slices"
	"strconv"

	"iotbridge/gateway"
	"iotbridge/schema"
)

// Devices returns a page of a registry's devices by name. With Numbers and Names it
// is those that either lists. A page may be shorter than asked for and not the last.
func (s *Store) Devices(ctx context.Context, key gateway.RegistryKey, f gateway.DeviceFilter, page gateway.Page) ([]*gateway.Device, string, error) {
	if len(f.Numbers)+len(f.Names) > maxListed {
		return nil, "", invalid("device_ids", "lists %d devices, want at most %d", len(f.Numbers)+len(f.Names), maxListed)
	}
	of := sha256.Sum256([]byte(encode(f)))
	scope := encode([]any{"devices", key, of[:]})
	after, size, err := s.pages.open(scope, page)
	if err != nil {
		return nil, "", err
	}
	c := s.read()
	registry, err := c.registryID(ctx, key, "")
	if err != nil {
		return nil, "", s.engine.explain(err)
	}
	query, args := filtered(f, registry, after)
	var list []*gateway.Device
	more, bytes := false, 0
	err = c.each(ctx, func(rows *sql.Rows) (bool, error) {
		if more = len(list) == size || bytes > pageBytes; more {
			return true, nil
		}
		d, err := scanDevice(rows, key)
		if err != nil {
			return false, err
		}
		list = append(list, d)
		bytes += weight(d)
		return false, nil
	}, query, append(args, size+1)...)
	if err != nil || !more {
		return list, "", s.engine.explain(err)
	}
	return list, s.pages.sign(scope, list[len(list)-1].Key.Device), nil
}

// filtered is a query of the devices after one, in order; the next argument is their
// number at most.
func filtered(f gateway.DeviceFilter, registry int64, after string) (query string, args []any) {
	args = []any{registry, after}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	named := func(device string) string {
		if schema.ValidNumID(device) {
			number, _ := strconv.ParseInt(device, 10, 64) // its grammar says that it is one
			return arg(number)
		}
		if !schema.ValidID(device) {
			return `0`
		}
		return `(SELECT number FROM devices WHERE registry = $1 AND name = ` + arg(device) + `)`
	}
	var sets []string // of numbers
	if len(f.Numbers)+len(f.Names) > 0 {
		names := slices.DeleteFunc(append([]string{}, f.Names...), func(name string) bool { return !schema.ValidID(name) })
		sets = append(sets, `SELECT CAST(value AS BIGINT) AS number FROM json_array_elements_text(`+arg(encode(append([]uint64{}, f.Numbers...)))+`::json)
			UNION SELECT number FROM devices WHERE registry = $1 AND name IN (SELECT value FROM json_array_elements_text(`+arg(encode(names))+`::json))`)
	}
	if f.BoundTo != "" {
		sets = append(sets, `SELECT device AS number FROM bindings WHERE gateway = `+named(f.BoundTo))
	}
	if f.GatewaysOf != "" {
		sets = append(sets, `SELECT gateway AS number FROM bindings WHERE device = `+named(f.GatewaysOf))
	}
	from, where := `devices d`, `d.registry = $1 AND d.name > $2`
	for i, set := range sets {
		if i == 0 { // SQLite keeps to the order of a CROSS JOIN: from the few to the key
			from = `(` + set + `) few CROSS JOIN devices d`
			where += ` AND d.number = few.number`
		} else {
			where += ` AND d.number IN (` + set + `)`
		}
	}
	if f.Gateways != nil {
		if where += ` AND d.is_gateway`; !*f.Gateways {
			where += ` IS NOT TRUE`
		}
	}
	return deviceColumns + from + deviceJoins + where + ` ORDER BY d.name LIMIT $` + strconv.Itoa(len(args)+1), args
}

// weight is about what a device takes in an answer.
func weight(d *gateway.Device) int {
	n := 512 + len(d.Config.Data)
	for _, c := range d.Credentials {
		n += len(c.PEM)
	}
	for k, v := range d.Metadata {
		n += len(k) + len(v)
	}
	if d.State != nil {
		n += len(d.State.Data)
	}
	return n
}
