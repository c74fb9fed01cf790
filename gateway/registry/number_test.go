package registry_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/registry"
	"iotbridge/internal/testpostgres"
)

// anyNumber is one that IoT Core could have given, and no test has.
func anyNumber() uint64 { return 1_000_000_000_000_000 + rand.Uint64N(1_000_000_000_000_000) }

// A device may bring its number along. One that a device has or had is never another's.
func numbers(t *testing.T, w *world) {
	ctx, wish := t.Context(), anyNumber()
	taken := func(what, name string, number uint64) {
		t.Helper()
		if d, err := w.CreateDevice(ctx, "tester", &gateway.Device{Key: w.device(name), Number: number}); !errors.Is(err, gateway.ErrExists) {
			t.Errorf("%s: %+v, %v, want ErrExists", what, d, err)
		}
	}
	brought := w.createAs(t, &gateway.Device{Key: w.device("brought"), Number: wish})
	if got, err := w.Device(ctx, w.device(fmt.Sprint(wish))); err != nil || brought.Number != wish || got.Key != brought.Key {
		t.Errorf("by its old number %d: %+v, %v", wish, got, err)
	}
	drawn := w.create(t, "drawn")
	taken("a live device's number", "other", wish)
	taken("a live device's number that was drawn", "other", drawn.Number)
	taken("the name again", "brought", anyNumber())
	elsewhere := newWorld(t, w.Store, w.open)
	if _, err := elsewhere.CreateDevice(ctx, "tester", &gateway.Device{Key: elsewhere.device("other"), Number: wish}); !errors.Is(err, gateway.ErrExists) {
		t.Errorf("another registry's: %v, want ErrExists", err)
	}
	for _, d := range []*gateway.Device{brought, drawn} {
		if err := w.DeleteDevice(ctx, "tester", d.Key); err != nil {
			t.Fatal(err)
		}
		taken("a deleted device's number", "other", d.Number)
		taken("its own, with its own name", d.Key.Device, d.Number)
	}
	// What was refused has taken no number.
	unused := anyNumber()
	w.create(t, "name")
	taken("a name", "name", unused)
	w.createAs(t, &gateway.Device{Key: w.device("late"), Number: unused})

	for _, n := range []uint64{1, 999_999_999_999_999, 1 << 53, 9_999_999_999_999_999, 1 << 63, 1<<64 - 1} {
		if _, err := w.CreateDevice(ctx, "tester", &gateway.Device{Key: w.device("other"), Number: n}); !errors.Is(err, gateway.ErrInvalid) {
			t.Errorf("%d: %v, want ErrInvalid", n, err)
		}
	}
}

// One of many that want a number at once gets it, and nobody while it is given back.
func numbersAtOnce(t *testing.T, w *world) {
	stores := make([]*registry.Store, 4)
	for i := range stores {
		stores[i] = w.open(t)
	}
	for round := range 5 {
		wish := anyNumber()
		var made atomic.Int64
		var group sync.WaitGroup
		for i := range 8 {
			s := stores[i%len(stores)]
			group.Go(func() {
				key := w.device(fmt.Sprintf("device%d-%d", round, i))
				switch _, err := s.CreateDevice(context.Background(), "tester", &gateway.Device{Key: key, Number: wish}); {
				case err == nil:
					made.Add(1)
					if err := s.DeleteDevice(context.Background(), "tester", key); err != nil {
						t.Error(err)
					}
				case !errors.Is(err, gateway.ErrExists):
					t.Error(err)
				}
			})
		}
		group.Wait()
		if made.Load() != 1 {
			t.Errorf("%d devices had the number", made.Load())
		}
	}
}

// A store from before numbers were remembered knows them from its audit log.
func numbersFromBefore(t *testing.T, address string, open func(*testing.T) *sql.DB) {
	s, err := registry.Open(t.Context(), address, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, s, nil)
	lives, deleted := w.create(t, "lives"), w.create(t, "deleted")
	if err := s.DeleteDevice(t.Context(), "tester", deleted.Key); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := open(t)
	for _, table := range []string{"numbers", "device_keys", "provision_claims", "provision_entries", "provision_profiles", "sessions", "pulses"} {
		run(t, db, `DROP TABLE IF EXISTS `+table)
	}
	run(t, db, `DELETE FROM goose_db_version WHERE version_id > 1`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, address)
	for _, d := range []*gateway.Device{lives, deleted} {
		if _, err := s.CreateDevice(t.Context(), "tester", &gateway.Device{Key: w.device("other"), Number: d.Number}); !errors.Is(err, gateway.ErrExists) {
			t.Errorf("the number of %s: %v, want ErrExists", d.Key, err)
		}
	}
}

func TestNumbersFromBefore_SQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	numbersFromBefore(t, "sqlite:"+file, func(t *testing.T) *sql.DB { return rawFile(t, file) })
}

func TestNumbersFromBefore_PostgreSQL(t *testing.T) {
	address := testpostgres.Database(t)
	numbersFromBefore(t, address, func(t *testing.T) *sql.DB { return raw(t, address) })
}
