package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/schema"
)

// unclaimed is the state of a claim that was reset. Its row stays for its device,
// which is the unit's again when it claims again.
const unclaimed provision.ClaimState = ""

// claimRow is a claim with what only the store knows of it.
type claimRow struct {
	provision.Claim
	profile int64
}

const claimColumns = `SELECT p.id, p.number, c.serial, c.macs, c.state, c.device, c.number, c.spki, c.certificate, c.previous, c.not_after,
	c.bootstrap, c.reason, c.created, c.updated FROM provision_claims c JOIN provision_profiles p ON p.number = c.profile WHERE `

func missing(err error) bool { return errors.Is(err, sql.ErrNoRows) }

func scanClaim(row interface{ Scan(...any) error }) (*claimRow, error) {
	var c claimRow
	var device string
	var spki []byte
	err := row.Scan(&c.Profile, &c.profile, &c.Unit.Serial, document{&c.Unit.MACs}, &c.State, &device, &c.Number, octets{&spki},
		octets{&c.Certificate}, octets{&c.Previous}, moment{&c.NotAfter}, &c.Bootstrap, &c.Reason, moment{&c.Created}, moment{&c.Updated})
	if missing(err) {
		return nil, gateway.ErrNotFound
	}
	c.Device, _ = gateway.ParseDeviceKey(device) // "" is none
	copy(c.SPKI[:], spki)
	return &c, err
}

// unitRow finds a unit's row, also one that was reset; nil when there is none.
func (c conn) unitRow(ctx context.Context, profile, serial string) (*claimRow, error) {
	row, err := scanClaim(c.row(ctx, claimColumns+`p.id = $1 AND c.serial = $2`, profile, serial))
	if errors.Is(err, gateway.ErrNotFound) {
		return nil, nil
	}
	return row, err
}

func (c conn) claimOfUnit(ctx context.Context, profile, serial string) (*claimRow, error) {
	if !schema.ValidID(profile) || !canonicalSerial(serial) {
		return nil, fmt.Errorf("a claim whose name is none: %w", gateway.ErrNotFound)
	}
	row, err := c.unitRow(ctx, profile, serial)
	if err == nil && (row == nil || row.State == unclaimed) {
		return nil, fmt.Errorf("%s: %w", claimName(profile, serial), gateway.ErrNotFound)
	}
	return row, err
}

// claimName is how the audit log names a claim.
func claimName(profile, serial string) string {
	return "provisioning/profiles/" + profile + "/claims/" + serial
}

// granted says that the unit's device counts against the profile's room.
func granted(s provision.ClaimState) bool { return s == provision.Claimed || s == provision.Active }

func knownState(s provision.ClaimState) bool {
	return granted(s) || s == provision.Pending || s == provision.Approved || s == provision.Denied
}

// writeClaim makes the row be c. before is the state that it had.
func (t *tx) writeClaim(ctx context.Context, c *claimRow, before provision.ClaimState) (devices int64, err error) {
	device := ""
	if c.Number != 0 {
		device = c.Device.String()
	}
	macs := c.Unit.MACs
	if macs == nil {
		macs = []string{}
	}
	if _, err := t.exec(ctx, `INSERT INTO provision_claims (profile, serial, macs, state, device, number, spki, certificate, certificate_sha256,
		previous, previous_sha256, not_after, bootstrap, reason, created, updated)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (profile, serial) DO UPDATE SET macs = excluded.macs, state = excluded.state, device = excluded.device, number = excluded.number,
		spki = excluded.spki, certificate = excluded.certificate, certificate_sha256 = excluded.certificate_sha256,
		previous = excluded.previous, previous_sha256 = excluded.previous_sha256, not_after = excluded.not_after,
		bootstrap = excluded.bootstrap, reason = excluded.reason, created = excluded.created, updated = excluded.updated`,
		c.profile, c.Unit.Serial, encode(macs), string(c.State), device, int64(c.Number), orNull(c.SPKI[:], c.SPKI != [32]byte{}),
		orNull(c.Certificate, c.Certificate != nil), hashOrNull(c.Certificate), orNull(c.Previous, c.Previous != nil), hashOrNull(c.Previous), micros(c.NotAfter),
		printable(c.Bootstrap, maxReason), printable(c.Reason, maxReason), micros(c.Created), micros(c.Updated)); err != nil {
		return 0, err
	}
	if granted(c.State) == granted(before) {
		return 0, nil
	}
	step := 1
	if granted(before) {
		step = -1
	}
	return t.one(ctx, `UPDATE provision_profiles SET devices = devices + $2 WHERE number = $1 RETURNING devices`, c.profile, step)
}

func orNull(data []byte, present bool) any {
	if !present {
		return nil
	}
	return data
}

func hashOrNull(data []byte) any {
	sum := sha256.Sum256(data)
	return orNull(sum[:], data != nil)
}
