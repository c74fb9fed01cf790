package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iotbridge/gateway"
	"iotbridge/gateway/registry"
	"iotbridge/internal/testpostgres"
)

// two is two gateways on one database: a, the one that is watched, and b.
func two(t *testing.T) (a, b *world, address string) {
	address = testpostgres.Database(t)
	open := func(t testing.TB) *registry.Store { return openAt(t, address) }
	a = newWorld(t, open(t), open)
	second := *a
	second.Store = open(t)
	return a, &second, address
}

const changeRow = `INSERT INTO changes (kind, device) VALUES ($1, $2) RETURNING id`

// A notification that is lost delays a change by the poll, which is every 3 s.
func TestB39_LostNotification(t *testing.T) {
	a, _, address := two(t)
	d := a.create(t, "device1")
	heard := a.listen(t, a.Store)
	begun := time.Now()
	run(t, raw(t, address), changeRow, gateway.DeviceChanged, int64(d.Number)) // without NOTIFY
	next(t, heard, d.Number, gateway.DeviceChanged)
	t.Logf("%v late", time.Since(begun))
}

// B34's part here: with notifications, another gateway knows within the two seconds. Of
// 20 the quickest half is looked at: by the poll alone each would take three seconds,
// for it begins when the one before was polled.
func TestB34_BlockIsHeard(t *testing.T) {
	a, b, _ := two(t)
	d := b.create(t, "device1")
	heard := b.listen(t, a.Store)
	var took []time.Duration
	for i := range 20 {
		begun := time.Now()
		if _, err := b.UpdateDevice(t.Context(), "tester", d.Key, func(d *gateway.Device) error { d.Blocked = i%2 == 0; return nil }); err != nil {
			t.Fatal(err)
		}
		next(t, heard, d.Number, gateway.DeviceChanged)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	if took[10] > 2*time.Second {
		t.Errorf("heard after %v, want 2 s at most", took)
	}
	t.Logf("the latest of 20 after %v", took[19])
}

// Rows are numbered in one order and committed in another.
func TestCommittedOutOfOrder(t *testing.T) {
	a, b, address := two(t)
	early, late := a.create(t, "early"), a.create(t, "late")
	heard := a.listen(t, a.Store)
	ctx := t.Context()
	tx, err := raw(t, address).BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, changeRow, gateway.DeviceChanged, int64(early.Number)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SetConfig(ctx, "tester", late.Key, 0, nil); err != nil {
		t.Fatal(err)
	}
	next(t, heard, late.Number, gateway.ConfigChanged)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	next(t, heard, early.Number, gateway.DeviceChanged)
}

// When the connection that listens is lost, everything is looked at again, and what
// was said meanwhile is heard too.
func TestResyncAfterLostConnection(t *testing.T) {
	a, b, address := two(t)
	d := a.create(t, "device1")
	heard := a.listen(t, a.Store)
	db := raw(t, address)
	run(t, db, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	if _, err := b.SetConfig(t.Context(), "tester", d.Key, 0, nil); err != nil {
		t.Fatal(err)
	}
	resync := false
	for limit := time.After(soon); ; {
		select {
		case c := <-heard:
			resync = resync || c.Kind == gateway.Resync
			if c.Device != d.Number {
				continue
			}
		case <-limit:
			t.Fatal("what was said is not heard")
		}
		break
	}
	if !resync {
		t.Error("no Resync")
	}
	if _, err := a.Claim(t.Context(), d.Number, "gateway-a"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// What a dead gateway claimed is nobody's when its beats have stopped, at once when
// it was closed, and stays so when another of its name starts.
func TestB38_DeadGateway(t *testing.T) {
	a, b, address := two(t)
	ctx := t.Context()
	d := a.create(t, "device1")
	dying, err := registry.Open(ctx, address, registry.Options{}) // and never run
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dying.Claim(ctx, d.Number, "gateway-c"); err != nil {
		t.Fatal(err)
	}
	if instance, _, err := a.Holder(ctx, d.Number); instance != "gateway-c" || err != nil {
		t.Errorf("held by %s, %v", instance, err)
	}
	run(t, raw(t, address), `UPDATE runs SET beat = beat - interval '21 seconds' WHERE id = (SELECT run FROM claims WHERE device = $1)`, int64(d.Number))
	if _, _, err := a.Holder(ctx, d.Number); !errors.Is(err, gateway.ErrNotConnected) {
		t.Errorf("21 s without a beat: %v, want ErrNotConnected", err)
	}
	if err := a.Send(ctx, gateway.Command{Device: d.Number}); !errors.Is(err, gateway.ErrNotConnected) {
		t.Errorf("a command: %v, want ErrNotConnected", err)
	}
	before, err := dying.Claim(ctx, d.Number, "gateway-c")
	if err != nil {
		t.Fatal(err)
	}
	if err := dying.Close(); err != nil {
		t.Fatal(err)
	}
	reborn := openAt(t, address)
	if _, _, err := reborn.Holder(ctx, d.Number); !errors.Is(err, gateway.ErrNotConnected) {
		t.Errorf("closed: %v, want ErrNotConnected", err)
	}
	if epoch, err := b.Claim(ctx, d.Number, "gateway-b"); err != nil || epoch <= before {
		t.Errorf("epoch %d after %d, %v", epoch, before, err)
	}
}

// A claim that was made without the database is true in it later, unless another came
// before: then that one is told, which nobody was told of.
func TestB33_WhatWasClaimedWithoutTheDatabaseIsSettled(t *testing.T) {
	a, b, _ := two(t)
	ctx := t.Context()
	heard := a.listen(t, a.Store)
	for _, another := range []bool{false, true} {
		d := a.create(t, fmt.Sprintf("device-%v", another))
		epoch, err := a.Claim(ctx, d.Number, "gateway-a")
		if err != nil {
			t.Fatal(err)
		}
		if stood, err := a.ReleaseAndStand(ctx, d.Number, epoch, "gateway-a"); !stood || err != nil {
			t.Fatalf("it did not stand: %v", err)
		}
		want := "gateway-a"
		if another {
			want = "gateway-b"
			if _, err := b.Claim(ctx, d.Number, want); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		if another {
			if c := next(t, heard, d.Number, gateway.Claimed); c.Instance != want || c.Epoch <= epoch {
				t.Errorf("told %+v", c)
			}
			if stood, err := a.ReleaseAndStand(ctx, d.Number, epoch, "gateway-a"); stood || err != nil {
				t.Errorf("it stands where another is: %v", err)
			}
		}
		for _, s := range []*registry.Store{a.Store, b.Store} {
			if instance, _, err := s.Holder(ctx, d.Number); instance != want || err != nil {
				t.Errorf("held by %q, %v, want %s", instance, err, want)
			}
		}
	}
	// One that is not ours does not stand, nor one that was released.
	d := a.create(t, "device")
	if stood, err := a.ReleaseAndStand(ctx, d.Number, 1, "gateway-a"); stood || err != nil {
		t.Errorf("one that nobody has claimed stands: %v", err)
	}
	epoch, err := a.Claim(ctx, d.Number, "gateway-a")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Release(ctx, d.Number, epoch); err != nil {
		t.Fatal(err)
	}
	if stood, err := a.ReleaseAndStand(ctx, d.Number, epoch, "gateway-a"); stood || err != nil {
		t.Errorf("one that was released stands: %v", err)
	}
	if n := a.Held(); n != 1 { // the first alone
		t.Errorf("%d devices are remembered", n)
	}
}

// A command whose Send has ended is not delivered.
func TestCommandTakenBack(t *testing.T) {
	a, b, address := two(t)
	ctx := t.Context()
	d := a.create(t, "device1")
	deaf, err := registry.Open(ctx, address, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deaf.Claim(ctx, d.Number, "gateway-c"); err != nil {
		t.Fatal(err)
	}
	db := raw(t, address)
	lie := func() (n int) {
		if err := db.QueryRow(`SELECT count(*) FROM commands`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	sending, giveUp := context.WithCancel(ctx)
	defer giveUp()
	sent := make(chan error, 1)
	go func() { sent <- a.Send(sending, gateway.Command{Device: d.Number}) }()
	for lie() == 0 && len(sent) == 0 {
	}
	giveUp()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := lie(); n != 0 {
		t.Errorf("%d commands lie", n)
	}
	running, stop := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() { deaf.Run(running) })
	defer func() { stop(); ended.Wait(); deaf.Close() }()
	heard := make(chan gateway.Change, 100)
	ended.Go(func() { deaf.Watch(running, func(c gateway.Change) { heard <- c }) })
	for {
		if _, err := b.SetConfig(ctx, "tester", d.Key, 0, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case c := <-heard:
			if c.Kind == gateway.CommandSent {
				t.Errorf("it was delivered: %+v", c)
			}
			if c.Kind != gateway.ConfigChanged {
				continue
			}
		case <-time.After(100 * time.Millisecond):
			continue
		}
		return
	}
}

// Gateways that start together on an empty database make its tables once.
func TestStartTogether(t *testing.T) {
	address := testpostgres.Database(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := registry.Open(t.Context(), address, registry.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	all.Wait()
}

func TestB66_OtherTablesInPostgreSQL(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"newer", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`, "use the newer program"},
		{"half a migration", `DROP TABLE bindings`, "no table bindings"},
		{"no version", `DELETE FROM goose_db_version WHERE version_id > 0`, "cannot be brought from version 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := testpostgres.Database(t)
			s, err := registry.Open(t.Context(), address, registry.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			run(t, raw(t, address), c.sql)
			s, err = registry.Open(t.Context(), address, registry.Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestR10_AppendOnlyInPostgreSQL(t *testing.T) {
	a, _, address := two(t)
	a.create(t, "device1")
	db := raw(t, address)
	for _, query := range []string{`UPDATE audit SET actor = 'eve'`, `DELETE FROM audit`, `TRUNCATE audit`} {
		if _, err := db.Exec(query); err == nil {
			t.Errorf("%s: it was done", query)
		}
	}
}

// What everybody has read is forgotten.
func TestTrim(t *testing.T) {
	a, _, address := two(t)
	d := a.create(t, "device1")
	db := raw(t, address)
	run(t, db, `INSERT INTO changes (kind, device, at) SELECT 1, $1, now() - interval '11 minutes' FROM generate_series(1, 100)`, int64(d.Number))
	run(t, db, `INSERT INTO commands (id, device, sub_folder, data, at) VALUES ('x', 1, '', '', now() - interval '11 minutes')`)
	if _, err := a.SetConfig(t.Context(), "tester", d.Key, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	var changes, commands int
	if err := db.QueryRow(`SELECT (SELECT count(*) FROM changes), (SELECT count(*) FROM commands)`).Scan(&changes, &commands); err != nil || changes != 1 || commands != 0 {
		t.Errorf("%d changes and %d commands are kept, %v; want 1 and 0", changes, commands, err)
	}
}

// Close and the end of Run leave no goroutine.
func TestNothingLeft(t *testing.T) {
	address := testpostgres.Database(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, at := range []string{address, "sqlite:" + t.TempDir() + "/registry.db"} {
		s, err := registry.Open(t.Context(), at, registry.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() { s.Run(ctx) })
		ended.Go(func() { s.Watch(ctx, func(gateway.Change) {}) })
		if err := s.Ping(ctx); err != nil {
			t.Error(err)
		}
		stop()
		ended.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
