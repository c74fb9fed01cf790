package registry

import (
	"context"
	"errors"
	"fmt"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/schema"
)

var (
	_ provision.Store  = (*Provisioning)(nil)
	_ provision.Office = (*Provisioning)(nil)
)

// Provisioning is the store as those see it that grant credentials and that look after
// profiles, lists and claims.
//
// A unit is locked, row or no row, while it is decided on; so are the keys that are
// handed in, against whoever else registers them, and the profile with its lists
// against whoever changes them. What decides is what is true when it is written.
type Provisioning struct{ s *Store }

// Provisioning shares the Store's life.
func (s *Store) Provisioning() *Provisioning { return &Provisioning{s} }

// Ours on what operators and boards may have us keep.
const (
	maxMACs    = 16
	maxReason  = 256
	maxProfile = 1 << 20
)

// A name that is not canonical would be another unit's, and slip past a list.
func canonicalSerial(s string) bool {
	canonical, err := provision.ParseSerial(s)
	return err == nil && canonical == s
}

func canonicalMAC(s string) bool {
	canonical, err := provision.ParseMAC(s)
	return err == nil && canonical == s
}

func checkUnit(u provision.Unit) error {
	if !canonicalSerial(u.Serial) {
		return invalid("serial_number", "is not a canonical one")
	}
	if len(u.MACs) > maxMACs {
		return invalid("mac_addresses", "has %d entries, want at most %d", len(u.MACs), maxMACs)
	}
	for _, mac := range u.MACs {
		if !canonicalMAC(mac) {
			return invalid("mac_addresses", "has one that is not canonical")
		}
	}
	return nil
}

// profileRow is a profile with what only the store knows of it.
type profileRow struct {
	provision.Profile
	number int64
}

const profileColumns = `SELECT number, body, secret, revision, updated, devices FROM provision_profiles WHERE `

func scanProfile(row interface{ Scan(...any) error }) (*profileRow, error) {
	var r profileRow
	var secret string
	err := row.Scan(&r.number, document{&r.Profile}, &secret, &r.Revision, moment{&r.Updated}, &r.Devices)
	if r.Webhook != nil {
		r.Webhook.Secret = secret
	}
	return &r, err
}

func noProfile(id string) error {
	if !schema.ValidID(id) {
		return fmt.Errorf("a profile whose name is none: %w", gateway.ErrNotFound)
	}
	return fmt.Errorf("profile %s: %w", id, gateway.ErrNotFound)
}

func (c conn) profile(ctx context.Context, id string) (*profileRow, error) {
	if !schema.ValidID(id) {
		return nil, noProfile(id)
	}
	r, err := scanProfile(c.row(ctx, profileColumns+`id = $1`, id))
	if missing(err) {
		return nil, noProfile(id)
	}
	return r, err
}

// Profile returns a profile, with its webhook's secret.
func (p *Provisioning) Profile(ctx context.Context, id string) (*provision.Profile, error) {
	r, err := p.s.read().profile(ctx, id)
	if err != nil {
		return nil, p.s.engine.explain(err)
	}
	return &r.Profile, nil
}

// Listed says what a profile's lists hold of a unit.
func (p *Provisioning) Listed(ctx context.Context, profile string, u provision.Unit) (provision.Listing, error) {
	if err := checkUnit(u); err != nil {
		return provision.Listing{}, err
	}
	c := p.s.read()
	r, err := c.profile(ctx, profile)
	if err != nil {
		return provision.Listing{}, p.s.engine.explain(err)
	}
	l, _, err := c.listed(ctx, r.number, u)
	return l, p.s.engine.explain(err)
}

// Claim returns a unit's claim.
func (p *Provisioning) Claim(ctx context.Context, profile, serial string) (*provision.Claim, error) {
	c, err := p.s.read().claimOfUnit(ctx, profile, serial)
	if err != nil {
		return nil, p.s.engine.explain(err)
	}
	return &c.Claim, nil
}

// ClaimOf finds a claim by a certificate that it names.
func (p *Provisioning) ClaimOf(ctx context.Context, certificate [32]byte) (*provision.Claim, error) {
	c, err := scanClaim(p.s.read().row(ctx, claimColumns+`c.certificate_sha256 = $1 OR c.previous_sha256 = $2`, certificate[:], certificate[:]))
	if errors.Is(err, gateway.ErrNotFound) {
		return nil, fmt.Errorf("a certificate that no claim names: %w", err)
	}
	if err != nil {
		return nil, p.s.engine.explain(err)
	}
	return &c.Claim, nil
}
