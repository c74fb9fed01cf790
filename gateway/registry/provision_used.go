package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// Used makes a claim active, and takes from the device what the credential replaces.
// It only reads when there is nothing to do; a key that the device has not any more
// does nothing.
func (p *Provisioning) Used(ctx context.Context, device uint64, credential gateway.Credential, at time.Time) error {
	c, err := scanClaim(p.s.read().row(ctx, claimColumns+`c.number = $1 AND c.number > 0`, int64(device)))
	if errors.Is(err, gateway.ErrNotFound) {
		return nil
	}
	if err != nil {
		return p.s.engine.explain(err)
	}
	if c.State != provision.Claimed && c.Previous == nil {
		return nil
	}
	hash, _, ok := keyOf(credential)
	if !ok || c.State != provision.Claimed && !c.replaces(hash) {
		return nil
	}
	return p.s.write(ctx, func(t *tx) error {
		if err := p.holdUnit(ctx, t, c.Profile, c.Unit.Serial); err != nil {
			return err
		}
		return p.used(ctx, t, c, device, hash, at)
	})
}

// replaces says that the key is the newest, and an older one still counts.
func (c *claimRow) replaces(key keyHash) bool {
	return c.State == provision.Active && c.Previous != nil && c.SPKI == key
}

func (p *Provisioning) used(ctx context.Context, t *tx, seen *claimRow, device uint64, key keyHash, at time.Time) error {
	c, err := t.unitRow(ctx, seen.Profile, seen.Unit.Serial)
	if err != nil || c == nil || c.Number != device {
		return err
	}
	if _, err := t.one(ctx, `SELECT 1 FROM device_keys WHERE device = $1 AND spki = $2`, int64(device), key[:]); errors.Is(err, gateway.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	before, actor := c.State, "provisioning/"+c.Profile
	if c.State == provision.Claimed {
		c.State = provision.Active
		if err := t.audit(ctx, actor, "provision_active", claimName(c.Profile, c.Unit.Serial), "device "+c.Device.Device); err != nil {
			return err
		}
	}
	if c.replaces(key) {
		d, err := t.deviceNumbered(ctx, device)
		if err != nil {
			return err
		}
		if d != nil {
			if _, err := p.s.updateDevice(ctx, t, actor, d.Key, func(d *gateway.Device) error {
				d.Credentials = slices.DeleteFunc(d.Credentials, c.outlived)
				return nil
			}); err != nil {
				return err
			}
		}
		c.Previous = nil
		if err := t.audit(ctx, actor, "provision_renewed", claimName(c.Profile, c.Unit.Serial), "the previous credential goes"); err != nil {
			return err
		}
	} else if c.State == before {
		return nil
	}
	c.Updated = fromMicros(micros(at))
	_, err = t.writeClaim(ctx, c, before)
	return err
}

// outlived says that a credential is the previous certificate, or of its key alone.
func (c *claimRow) outlived(credential gateway.Credential) bool {
	hash, key, ok := keyOf(credential)
	switch {
	case !ok:
		return false
	case key.Certificate != nil && bytes.Equal(key.Certificate.Raw, c.Previous):
		return true
	}
	previous, err := x509.ParseCertificate(c.Previous)
	return err == nil && hash != c.SPKI && hash == sha256.Sum256(previous.RawSubjectPublicKeyInfo)
}
