package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/pressly/goose/v3"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

// keyHash is the SHA-256 of a public key's SubjectPublicKeyInfo.
type keyHash [sha256.Size]byte

// keyOf is of a credential that a device can use; ok is false for any other text.
func keyOf(c gateway.Credential) (hash keyHash, key auth.Key, ok bool) {
	key, err := auth.ParseKey(c.Format, c.PEM)
	if err != nil {
		return hash, key, false
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public)
	return sha256.Sum256(der), key, err == nil
}

// keysOf is in one order, so that those who lock the same keys do not wait in a circle.
func keysOf(list []gateway.Credential) []keyHash {
	var hashes []keyHash
	for _, c := range list {
		if hash, _, ok := keyOf(c); ok {
			hashes = append(hashes, hash)
		}
	}
	return inOrder(hashes)
}

func inOrder(hashes []keyHash) []keyHash {
	slices.SortFunc(hashes, func(a, b keyHash) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(hashes)
}

// noteKeys remembers whose keys the device's credentials are.
func (t *tx) noteKeys(ctx context.Context, e engine, device int64, list []gateway.Credential) error {
	if _, err := t.exec(ctx, `DELETE FROM device_keys WHERE device = $1`, device); err != nil {
		return err
	}
	for _, hash := range keysOf(list) {
		if err := e.hold(ctx, t.conn, lockKey(hash), false); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO device_keys (device, spki) VALUES ($1, $2)`, device, hash[:]); err != nil {
			return err
		}
	}
	return nil
}

// keyOwner is the serial of another unit, or the name of another device, that has the
// key; "" for nobody.
func (t *tx) keyOwner(ctx context.Context, hash keyHash, profile int64, serial string, device uint64) (owner string, err error) {
	if hash == (keyHash{}) {
		return "", nil
	}
	err = t.row(ctx, `SELECT serial FROM provision_claims WHERE spki = $1 AND NOT (profile = $2 AND serial = $3)`, hash[:], profile, serial).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		err = t.row(ctx, `SELECT d.name FROM device_keys k JOIN devices d ON d.number = k.device WHERE k.spki = $1 AND k.device <> $2 LIMIT 1`,
			hash[:], int64(device)).Scan(&owner)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return owner, err
}

// What a transaction can hold that has no row, or none yet.
func lockProfile(id string) string      { return "profile " + id }
func lockUnit(id, serial string) string { return "unit " + id + " " + serial }
func lockKey(hash keyHash) string       { return "key " + string(hash[:]) }

func (*sqliteFile) hold(context.Context, conn, string, bool) error { return nil } // it has one writer

// hold waits in the order of asking, unlike a row's lock that is shared.
func (postgres) hold(ctx context.Context, c conn, name string, shared bool) error {
	sum := sha256.Sum256([]byte(name))
	query := `SELECT pg_advisory_xact_lock($1)`
	if shared {
		query = `SELECT pg_advisory_xact_lock_shared($1)`
	}
	_, err := c.exec(ctx, query, int64(binary.BigEndian.Uint64(sum[:])))
	return err
}

// keysFromBefore notes the keys of the devices that were there before keys were.
func keysFromBefore(spell func(string) string) goose.ProviderOption {
	return goose.WithGoMigrations(goose.NewGoMigration(4, &goose.GoFunc{RunTx: func(ctx context.Context, raw *sql.Tx) error {
		c := conn{raw, spell}
		for after, n := int64(-1), 1000; n == 1000; {
			n = 0
			type device struct {
				number      int64
				credentials []credential
			}
			var page []device
			if err := c.each(ctx, func(r *sql.Rows) (bool, error) {
				var d device
				err := r.Scan(&d.number, document{&d.credentials})
				page = append(page, d)
				return false, err
			}, `SELECT number, credentials FROM devices WHERE number > $1 ORDER BY number LIMIT 1000`, after); err != nil {
				return err
			}
			for _, d := range page {
				for _, hash := range keysOf(decodeCredentials(d.credentials)) {
					if _, err := c.exec(ctx, `INSERT INTO device_keys (device, spki) VALUES ($1, $2)`, d.number, hash[:]); err != nil {
						return err
					}
				}
				after, n = d.number, n+1
			}
		}
		return nil
	}}, nil))
}
