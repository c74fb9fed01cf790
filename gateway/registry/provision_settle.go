package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// errFilled: the profile had room when decide was asked, and has none any more.
var errFilled = errors.New("the profile was filled meanwhile")

// Settle decides on a unit and writes what was decided.
func (p *Provisioning) Settle(ctx context.Context, profile string, u provision.Unit, spki [32]byte, decide func(provision.Known) (*provision.Change, error)) (*provision.Claim, error) {
	if err := checkUnit(u); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		var settled *provision.Claim
		err := p.s.write(ctx, func(t *tx) (err error) {
			settled, err = p.settle(ctx, t, profile, u, spki, decide)
			return err
		})
		switch {
		case err == nil:
			return settled, nil
		case !errors.Is(err, errFilled) && !errors.Is(err, errTaken):
			return nil, err
		case attempt == attempts && errors.Is(err, errTaken):
			return nil, fmt.Errorf("%s: %w: %w", claimName(profile, u.Serial), err, gateway.ErrConflict)
		case attempt == attempts:
			return nil, fmt.Errorf("profile %s: %w", profile, gateway.ErrFull)
		}
	}
}

func (p *Provisioning) settle(ctx context.Context, t *tx, profile string, u provision.Unit, spki [32]byte, decide func(provision.Known) (*provision.Change, error)) (*provision.Claim, error) {
	if err := p.holdUnit(ctx, t, profile, u.Serial); err != nil {
		return nil, err
	}
	if spki != (keyHash{}) {
		if err := p.s.engine.hold(ctx, t.conn, lockKey(spki), false); err != nil {
			return nil, err
		}
	}
	of, err := t.profile(ctx, profile)
	if err != nil {
		return nil, err
	}
	known := provision.Known{Profile: of.Profile}
	var by string
	if known.Listing, by, err = t.listed(ctx, of.number, u); err != nil {
		return nil, err
	}
	before, err := t.unitRow(ctx, profile, u.Serial)
	if err != nil {
		return nil, err
	}
	if before == nil {
		before = &claimRow{profile: of.number}
	}
	if known.Device, err = t.deviceNumbered(ctx, before.Number); err != nil {
		return nil, err
	}
	if before.State == unclaimed {
		if known.Device == nil {
			before.Device, before.Number = gateway.DeviceKey{}, 0
		}
	} else {
		known.Claim = new(before.Claim)
	}
	if known.KeyOwner, err = t.keyOwner(ctx, spki, of.number, u.Serial, before.Number); err != nil {
		return nil, err
	}
	device := known.Device
	change, err := decide(known)
	if err != nil {
		return nil, err
	}
	if change == nil {
		if before.State == unclaimed {
			return nil, nil
		}
		return &before.Claim, nil
	}
	claim, err := p.apply(ctx, t, of, before, device, u, change)
	if err == nil && of.Lists && by != "" {
		err = t.takeEntry(ctx, of.number, by, u.Serial)
	}
	return claim, err
}

// holdUnit keeps others from deciding on the unit, and from changing the profile and
// its lists.
func (p *Provisioning) holdUnit(ctx context.Context, t *tx, profile, serial string) error {
	if err := p.s.engine.hold(ctx, t.conn, lockProfile(profile), true); err != nil {
		return err
	}
	return p.s.engine.hold(ctx, t.conn, lockUnit(profile, serial), false)
}

// deviceNumbered finds a device and keeps it as it is; nil when it is not there.
func (t *tx) deviceNumbered(ctx context.Context, number uint64) (*gateway.Device, error) {
	if number == 0 {
		return nil, nil
	}
	registry, err := t.one(ctx, `SELECT registry FROM devices WHERE number = $1`+toChange, int64(number))
	if errors.Is(err, gateway.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var key gateway.RegistryKey
	if err := t.row(ctx, `SELECT project, location, name FROM registries WHERE id = $1`, registry).Scan(&key.Project, &key.Location, &key.Registry); err != nil {
		return nil, err
	}
	return scanDevice(t.row(ctx, selectDevice+`d.number = $1`, int64(number)), key)
}

// apply writes a change, and refuses what no decision may be.
func (p *Provisioning) apply(ctx context.Context, t *tx, of *profileRow, before *claimRow, device *gateway.Device, u provision.Unit, change *provision.Change) (*provision.Claim, error) {
	name := claimName(of.ID, u.Serial)
	next := &claimRow{Claim: change.Claim, profile: of.number}
	next.Profile, next.Unit.Serial, next.Device, next.Number = of.ID, u.Serial, before.Device, before.Number
	next.Updated = fromMicros(micros(time.Now()))
	if next.Created = before.Created; before.State == unclaimed {
		next.Created = next.Updated
	}
	if err := p.checkKeys(ctx, t, next, change.Credentials); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	actor := change.Actor
	if actor == "" {
		actor = "provisioning/" + of.ID
	}
	if change.Credentials != nil {
		if device == nil && before.Number != 0 && before.State != unclaimed {
			return nil, fmt.Errorf("%s: its device %s was deleted, and stays so until the claim is reset: %w", name, before.Device.Device, gateway.ErrNotFound)
		}
		made, err := p.equip(ctx, t, of, device, actor, change)
		if err != nil {
			return nil, err
		}
		next.Device, next.Number = made.Key, made.Number
	}
	switch {
	case !knownState(next.State):
		return nil, invalid("state", "%q is none", next.State)
	case granted(next.State) && next.Number == 0:
		return nil, invalid("state", "is %s and there is no device", next.State)
	}
	devices, err := t.writeClaim(ctx, next, before.State)
	switch {
	case p.s.engine.taken(err):
		return nil, fmt.Errorf("%s: its key, certificate or device: %w", name, gateway.ErrExists)
	case err != nil:
		return nil, err
	case of.MaxDevices > 0 && devices > int64(of.MaxDevices):
		return nil, errFilled
	}
	return &next.Claim, t.audit(ctx, actor, change.Action, name, change.Detail)
}

// checkKeys holds the claim's key and those of the credentials, and refuses what
// another unit or device has.
func (p *Provisioning) checkKeys(ctx context.Context, t *tx, c *claimRow, credentials []gateway.Credential) error {
	keys := keysOf(credentials)
	if credentials != nil && !slices.Contains(keys, c.SPKI) {
		return invalid("credentials", "none of them has the claim's key")
	}
	if c.SPKI != (keyHash{}) {
		keys = inOrder(append(keys, c.SPKI))
	}
	for _, key := range keys {
		if err := p.s.engine.hold(ctx, t.conn, lockKey(key), false); err != nil {
			return err
		}
		owner, err := t.keyOwner(ctx, key, c.profile, c.Unit.Serial, c.Number)
		if err != nil {
			return err
		}
		if owner != "" {
			return fmt.Errorf("its key is that of %s: %w", owner, gateway.ErrExists)
		}
	}
	return nil
}

// equip gives the unit's device its credentials, and makes it if it is not there.
func (p *Provisioning) equip(ctx context.Context, t *tx, of *profileRow, device *gateway.Device, actor string, change *provision.Change) (*gateway.Device, error) {
	if device != nil {
		return p.s.updateDevice(ctx, t, actor, device.Key, func(d *gateway.Device) error {
			d.Credentials, d.Blocked = change.Credentials, d.Blocked || change.Blocked
			return nil
		})
	}
	fresh := &gateway.Device{
		Key:         gateway.DeviceKey{RegistryKey: of.Registry, Device: change.DeviceID},
		Credentials: change.Credentials, Metadata: change.Metadata, Blocked: change.Blocked,
	}
	if err := checkDevice(fresh); err != nil {
		return nil, err
	}
	return p.s.createDevice(ctx, t, actor, fresh)
}
