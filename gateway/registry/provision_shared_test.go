package registry_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/registry"
	"iotbridge/internal/testpostgres"
)

// What a decision rests on does not change under it, whichever gateway wants to: not
// the profile, its lists, the claim, the device, nor who has the key.
func TestP4_ADecisionIsWaitedFor(t *testing.T) {
	a, b, address := two(t)
	here, there := newOffice(t, a), &office{b, b.Store.Provisioning(), a.key.Registry}
	ctx, db := t.Context(), raw(t, address)
	first, second := newBoard(t, "10000001"), newBoard(t, "10000001")
	claim := here.grant(t, first)
	for name, do := range map[string]func() error{
		"profile": func() error {
			p, err := there.Profile(ctx, there.profile)
			if err == nil {
				_, err = there.PutProfile(ctx, "tester", p)
			}
			return err
		},
		"list": func() error {
			_, err := there.Enlist(ctx, "tester", there.profile, provision.Deny, serials("10000002"))
			return err
		},
		"claim": func() error {
			return there.Used(ctx, claim.Number, first.credential(), fromYear(2026))
		},
		"device": func() error {
			_, err := there.UpdateDevice(ctx, "tester", claim.Device, func(d *gateway.Device) error { d.Blocked = !d.Blocked; return nil })
			return err
		},
		"key": func() error {
			_, err := there.CreateDevice(ctx, "tester", &gateway.Device{Key: there.device("by-hand"), Credentials: []gateway.Credential{second.credential()}})
			return err
		},
	} {
		done := make(chan error, 1)
		if _, err := here.Settle(ctx, here.profile, second.Unit, second.spki, func(provision.Known) (*provision.Change, error) {
			go func() { done <- do() }()
			for waits := 0; waits == 0 && len(done) == 0; {
				if err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits); err != nil {
					return nil, err
				}
			}
			if len(done) != 0 {
				t.Errorf("%s: it was changed meanwhile", name)
			}
			return nil, errRefused
		}); !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s, afterwards: %v", name, err)
		}
	}
}

// A store from before keys were noted knows them from its devices.
func keysFromBefore(t *testing.T, address string, open func(*testing.T) *sql.DB) {
	s, err := registry.Open(t.Context(), address, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, b := newWorld(t, s, nil), newBoard(t, "10000001")
	w.createAs(t, &gateway.Device{Key: w.device("by-hand"), Credentials: []gateway.Credential{b.bare(t), {Format: gateway.RSAX509, PEM: "no key"}, b.credential()}})
	w.create(t, "bare")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := open(t)
	run(t, db, `DELETE FROM device_keys`)
	run(t, db, `DROP TABLE sessions`)
	run(t, db, `DROP TABLE IF EXISTS pulses`)
	run(t, db, `DROP INDEX provision_claims_by_asker`)
	run(t, db, `DELETE FROM goose_db_version WHERE version_id > 3`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w.Store = openAt(t, address)
	o := newOffice(t, w)
	if _, err := o.Settle(t.Context(), o.profile, b.Unit, b.spki, b.insist); !errors.Is(err, gateway.ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
}

func TestP11_KeysFromBefore_SQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	keysFromBefore(t, "sqlite:"+file, func(t *testing.T) *sql.DB { return rawFile(t, file) })
}

func TestP11_KeysFromBefore_PostgreSQL(t *testing.T) {
	address := testpostgres.Database(t)
	keysFromBefore(t, address, func(t *testing.T) *sql.DB { return raw(t, address) })
}
