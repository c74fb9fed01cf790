package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"iotbridge/gateway"
)

// Fleet is what all gateways of the store know together, for people to look at.
type Fleet struct{ store *Store }

// Fleet is the store's.
func (s *Store) Fleet() Fleet { return Fleet{s} }

// A device is silent, or erroring, by these; the argument is when silence began.
const (
	isSilent   = `(NOT d.blocked AND l.event < %[1]s AND l.state < %[1]s AND l.heartbeat < %[1]s)`
	isErroring = `(NOT d.blocked AND l.error > l.event)`
)

// Tallies counts the devices of a location's registries, by their names. It reads all
// devices.
func (f Fleet) Tallies(ctx context.Context, project, location string) (map[string]gateway.Tally, error) {
	args := []any{project, location, micros(time.Now().Add(-gateway.SilentAfter))}
	held := f.store.bus.holding(func(v any) string {
		args = append(args, v)
		return "$4"
	})
	list := map[string]gateway.Tally{}
	query := `SELECT r.name, count(d.number), count(CASE WHEN d.number IN (` + held + `) THEN 1 END), count(CASE WHEN ` + fmt.Sprintf(isSilent, "$3") + ` THEN 1 END),
		count(CASE WHEN d.blocked THEN 1 END), count(CASE WHEN ` + isErroring + ` THEN 1 END)
		FROM registries r LEFT JOIN devices d ON d.registry = r.id LEFT JOIN life l ON l.device = d.number
		WHERE r.project = $1 AND r.location = $2 GROUP BY r.name`
	err := f.store.read().each(ctx, func(r *sql.Rows) (bool, error) {
		var name string
		var t gateway.Tally
		err := r.Scan(&name, &t.Devices, &t.Connected, &t.Silent, &t.Blocked, &t.Erroring)
		list[name] = t
		return false, err
	}, query, args...)
	return list, f.store.engine.explain(err)
}

// orders are columns; what is equal there goes by name.
var orders = map[gateway.DeviceSort]string{
	gateway.ByName: "", gateway.ByNumber: "d.number", gateway.ByLastEvent: "l.event", gateway.ByLastError: "l.error",
}

// Search returns a page of a registry's devices. A page of another order than the
// names' goes by position: devices that come and go meanwhile move it.
func (f Fleet) Search(ctx context.Context, key gateway.RegistryKey, q gateway.DeviceQuery, page gateway.Page) ([]gateway.DeviceLine, string, error) {
	order, ok := orders[q.Sort]
	if !ok {
		return nil, "", invalid("sort", "want name, number, event or error")
	}
	scope := encode([]any{"search", key, q})
	after, size, err := f.store.pages.open(scope, page)
	if err != nil {
		return nil, "", err
	}
	registry, err := f.store.read().registryID(ctx, key, "")
	if err != nil {
		return nil, "", f.store.engine.explain(err)
	}
	args := []any{registry}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	held := f.store.bus.holding(arg)
	where, err := matching(q, held, arg)
	if err != nil {
		return nil, "", err
	}
	direction, beyond := "", " > "
	if q.Desc {
		direction, beyond = " DESC", " < "
	}
	by, offset := "d.name"+direction, 0
	switch {
	case order == "" && after != "":
		where += ` AND d.name` + beyond + arg(after)
	case order != "":
		by = order + direction + ", d.name"
		if after == "" {
			break
		}
		if offset, err = strconv.Atoi(after); err != nil {
			return nil, "", badToken
		}
	}
	query := `SELECT d.name, d.number, d.number IN (` + held + `), d.blocked, d.is_gateway, l.event, l.heartbeat, l.error, l.error_message, json_array_length(d.credentials::json)
		FROM devices d JOIN life l ON l.device = d.number
		WHERE d.registry = $1` + where + ` ORDER BY ` + by + ` LIMIT ` + arg(size+1) + ` OFFSET ` + arg(offset)
	var list []gateway.DeviceLine
	err = f.store.read().each(ctx, func(r *sql.Rows) (bool, error) {
		var l gateway.DeviceLine
		err := r.Scan(&l.Name, &l.Number, &l.Connected, &l.Blocked, &l.IsGateway, moment{&l.LastEvent}, moment{&l.LastHeartbeat}, moment{&l.LastError}, &l.Error, &l.Keys)
		list = append(list, l)
		return false, err
	}, query, args...)
	if err != nil || len(list) <= size {
		return list, "", f.store.engine.explain(err)
	}
	list = list[:size]
	next := list[size-1].Name
	if order != "" {
		next = strconv.Itoa(offset + size)
	}
	return list, f.store.pages.sign(scope, next), nil
}

// matching is the conditions of a query.
func matching(q gateway.DeviceQuery, held string, arg func(any) string) (where string, err error) {
	switch q.Kind {
	case gateway.AllDevices:
	case gateway.ConnectedDevices:
		where = ` AND d.number IN (` + held + `)`
	case gateway.SilentDevices:
		where = ` AND ` + fmt.Sprintf(isSilent, arg(micros(time.Now().Add(-gateway.SilentAfter))))
	case gateway.BlockedDevices:
		where = ` AND d.blocked`
	case gateway.ErroringDevices:
		where = ` AND ` + isErroring
	default:
		return "", invalid("kind", "want connected, silent, blocked or erroring")
	}
	if len(q.Text) > 255 {
		return "", invalid("text", "has more than 255 bytes")
	}
	if !utf8.ValidString(q.Text) || strings.ContainsRune(q.Text, 0) {
		return "", invalid("text", "is not UTF-8 without NUL") // PostgreSQL takes no other
	}
	if q.Text != "" {
		text := arg(strings.ToLower(q.Text))
		where += ` AND (strpos(lower(d.name), ` + text + `) > 0 OR strpos(CAST(d.number AS TEXT), ` + text + `) = 1)`
	}
	return where, nil
}

// lost is why a connection ended whose gateway did not say so.
const lost = "gateway_lost"

// Connections are a device's, newest first: the open one, and then what each gateway's
// clock says.
func (f Fleet) Connections(ctx context.Context, device uint64, most int) ([]gateway.Connection, error) {
	instance, _, err := f.store.bus.Holder(ctx, device)
	open := err == nil
	if err != nil && !errors.Is(err, gateway.ErrNotConnected) {
		return nil, f.store.engine.explain(err) // nobody has lost it
	}
	var held *gateway.Connection
	var list []gateway.Connection
	newer := time.Time{}
	err = f.store.read().each(ctx, func(r *sql.Rows) (bool, error) {
		c := gateway.Connection{Device: device}
		var address string
		err := r.Scan(moment{&c.Began}, moment{&c.Ended}, &c.Reason, &c.Instance, &address)
		c.Address = parseAddress(address)
		switch {
		case !c.Ended.IsZero():
		case open && held == nil && c.Instance == instance:
			held, newer = &c, c.Began
			return false, err
		default:
			c.Ended, c.Reason = newer, lost // it had ended by then
		}
		list, newer = append(list, c), c.Began
		return false, err
	}, `SELECT began, ended, reason, instance, address FROM sessions WHERE device = $1 ORDER BY began DESC LIMIT $2`, int64(device), most)
	if err != nil {
		return nil, f.store.engine.explain(err)
	}
	if open && held == nil { // it is not booked yet
		held = &gateway.Connection{Device: device, Instance: instance}
	}
	if held != nil {
		list = append([]gateway.Connection{*held}, list...)
	}
	return list[:min(len(list), most)], nil
}

// Pulses are of the gateways that run.
func (f Fleet) Pulses(ctx context.Context) ([]gateway.Pulse, error) {
	list, err := f.store.bus.pulses(ctx)
	return list, f.store.engine.explain(err)
}

// Beat tells the others this gateway's counters.
func (f Fleet) Beat(ctx context.Context, p gateway.Pulse) error {
	return f.store.engine.explain(f.store.bus.pulse(ctx, p))
}

const secretLen = 32

// Secret is 32 bytes under a name, made the first time that they are asked for.
func (f Fleet) Secret(ctx context.Context, name string) (secret []byte, err error) {
	fresh := make([]byte, secretLen)
	rand.Read(fresh) // never fails
	err = f.store.write(ctx, func(t *tx) error {
		if _, err := t.exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, fresh); err != nil {
			return err
		}
		return t.row(ctx, `SELECT value FROM settings WHERE name = $1`, name).Scan(&secret)
	})
	return secret, err
}
