package registry_test

import (
	"fmt"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/registry"
)

const fleet = 100_000

// populated has a registry of 100,000 devices, made in one statement a table.
func populated(b *testing.B) *world {
	b.Helper()
	file := b.TempDir() + "/registry.db"
	w := newWorld(b, openAt(b, "sqlite:"+file), nil)
	db := rawFile(b, file)
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1) `
	run(b, db, `INSERT INTO devices (number, registry, name, credentials, blocked, metadata, log_level, is_gateway, auth_method, created, updated) `+numbers+
		`SELECT 2500000000000000 + i, 1, printf('device%06d', i), '[{"format":2,"pem":"`+fmt.Sprintf("%0178d", 0)+`"}]', 0, '{}', 0, 0, 0, 1, 1 FROM n`, fleet)
	run(b, db, `INSERT INTO life (device) SELECT number FROM devices`)
	run(b, db, `INSERT INTO configs (device, version, data, updated, acked) SELECT number, 1, x'', 1, 0 FROM devices`)
	db.Close()
	return w
}

func BenchmarkFleet(b *testing.B) {
	w := populated(b)
	ctx := b.Context()
	b.Run("Device", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := w.Device(ctx, w.device(fmt.Sprintf("device%06d", i*7919%fleet))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Lookup", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, _, err := w.Lookup(ctx, w.device(fmt.Sprintf("device%06d", i*7919%fleet))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("DeviceByNumber", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := w.Device(ctx, w.device(fmt.Sprint(2500000000000000+i*7919%fleet))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("FirstPage500", func(b *testing.B) { list(b, w, gateway.DeviceFilter{}, "") })
	b.Run("LastPage500", func(b *testing.B) {
		_, token, err := w.Devices(ctx, w.key, gateway.DeviceFilter{}, gateway.Page{Size: 1})
		for err == nil && token != "" { // walk to the end
			page, next, e := w.Devices(ctx, w.key, gateway.DeviceFilter{}, gateway.Page{Size: 500, Token: token})
			if err = e; next == "" || len(page) < 500 {
				break
			}
			token = next
		}
		if err != nil {
			b.Fatal(err)
		}
		list(b, w, gateway.DeviceFilter{}, token)
	})
	b.Run("TenNames", func(b *testing.B) {
		var names []string
		for i := range 10 {
			names = append(names, fmt.Sprintf("device%06d", i*9973))
		}
		list(b, w, gateway.DeviceFilter{Names: names}, "")
	})
	b.Run("OnlyGateways", func(b *testing.B) {
		yes := true
		list(b, w, gateway.DeviceFilter{Gateways: &yes}, "")
	})
	b.Run("Note1000", func(b *testing.B) {
		signs := make([]gateway.Sign, 1000)
		for b.Loop() {
			for i := range signs {
				signs[i] = gateway.Sign{Device: 2500000000000000 + uint64(i*97), Event: time.Now()}
			}
			if err := w.Note(ctx, signs); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("SetConfig", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := w.SetConfig(ctx, "bench", w.device(fmt.Sprintf("device%06d", i%fleet)), 0, []byte("{}")); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func list(b *testing.B, w *world, f gateway.DeviceFilter, token string) {
	b.Helper()
	for b.Loop() {
		if _, _, err := w.Devices(b.Context(), w.key, f, gateway.Page{Size: 500, Token: token}); err != nil {
			b.Fatal(err)
		}
	}
}

// How long a start takes, which reads every page.
func BenchmarkOpen(b *testing.B) {
	w := populated(b)
	file := b.TempDir() + "/copy.db"
	if err := w.Backup(b.Context(), file); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := registry.Open(b.Context(), "sqlite:"+file, registry.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
