package registry_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/registry"
)

// filled is a file with devices in it that no process has open.
func filled(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "with space?#%.db")
	s, err := registry.Open(t.Context(), "sqlite:"+file, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, s, nil)
	for i := range 100 {
		w.createAs(t, &gateway.Device{Key: w.device(fmt.Sprintf("device%d", i)), Metadata: pairs(2, 8, 3000), Config: gateway.Config{Data: make([]byte, 9000)}})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// refused opens a file that must not be, and returns the sentence.
func refused(t testing.TB, file string) string {
	t.Helper()
	s, err := registry.Open(t.Context(), "sqlite:"+file, registry.Options{})
	if err == nil {
		s.Close()
		return ""
	}
	if text := err.Error(); strings.ContainsAny(text, "\r\n") || !strings.Contains(text, file) {
		t.Errorf("refused with %q: want one line that names the file", text)
	}
	return err.Error()
}

func TestB66_DamagedPages(t *testing.T) {
	whole, err := os.ReadFile(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	file := filepath.Join(t.TempDir(), "damaged.db")
	for range 100 {
		damaged := append([]byte(nil), whole...)
		n := rand.IntN(len(whole) / page)
		for i := range page {
			damaged[n*page+i] = byte(rand.Uint32())
		}
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if text := refused(t, file); !strings.Contains(text, "restore a backup") && !strings.Contains(text, "another program") {
			t.Errorf("page %d of %d damaged: %q", n, len(whole)/page, text)
		}
		os.Remove(file + "-wal")
		os.Remove(file + "-shm")
	}
	for _, size := range []int{0, 1, 100, page, len(whole) / 2, len(whole) - page, len(whole) - 1} {
		if err := os.WriteFile(file, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if text := refused(t, file); !strings.Contains(text, "restore a backup") {
			t.Errorf("cut to %d of %d bytes: %q", size, len(whole), text)
		}
	}
}

func TestB66_OtherTables(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"newer", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`, "use the newer program"},
		{"half a migration", `DROP TABLE bindings`, "restore a backup"},
		{"no trigger", `DROP TRIGGER audit_stays`, "restore a backup"},
		{"a column more", `ALTER TABLE devices ADD COLUMN more TEXT`, "restore a backup"},
		{"no version", `DELETE FROM goose_db_version WHERE version_id > 0`, "cannot be brought from version 0"},
		{"another program's", `PRAGMA application_id = 7`, "another program"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filled(t)
			db := rawFile(t, file)
			run(t, db, c.sql)
			db.Close()
			for range 2 {
				if text := refused(t, file); !strings.Contains(text, c.want) {
					t.Errorf("%q, want one that says %s", text, c.want)
				}
			}
		})
	}
	t.Run("text", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "text.db")
		if err := os.WriteFile(file, []byte(strings.Repeat("no database at all. ", 500)), 0o600); err != nil {
			t.Fatal(err)
		}
		if text := refused(t, file); !strings.Contains(text, "restore a backup") {
			t.Errorf("%q", text)
		}
	})
	t.Run("log without file", func(t *testing.T) {
		file := filled(t)
		if err := os.Rename(file, file+"-wal"); err != nil {
			t.Fatal(err)
		}
		if text := refused(t, file); !strings.Contains(text, "put the file back") {
			t.Errorf("%q", text)
		}
	})
	t.Run("directory", func(t *testing.T) {
		if text := refused(t, filepath.Join(t.TempDir(), "absent", "registry.db")); !strings.Contains(text, "check that its folder exists") {
			t.Errorf("%q", text)
		}
	})
}

// A migration that fails leaves nothing of itself.
func TestB66_MigrationIsOneTransaction(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	db := rawFile(t, file)
	run(t, db, `PRAGMA application_id = 1768911986`)
	run(t, db, `CREATE TABLE audit (x)`) // in the way of the migration's last table
	if text := refused(t, file); !strings.Contains(text, "cannot be brought from version 0 to ") {
		t.Errorf("%q", text)
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM sqlite_master WHERE name IN ('registries', 'devices')`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d tables of the failed migration, %v", n, err)
	}
	run(t, db, `DROP TABLE audit`)
	db.Close()
	openAt(t, "sqlite:"+file)
}

func rawFile(t testing.TB, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23", " ", "%20").Replace(file))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestOneProcess(t *testing.T) {
	file := filled(t)
	s := openAt(t, "sqlite:"+file)
	if _, err := registry.Open(t.Context(), "sqlite:"+file, registry.Options{}); !errors.Is(err, registry.ErrLocked) {
		t.Errorf("a second Open: %v, want ErrLocked", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{"", "sqlite:", "registry.db", "mysql://root:SECRET@host/db", "postgres://u:SECRET@127.0.0.1:1/db", "postgres://u:SECRET@host:port:x/%zz"} {
		s, err := registry.Open(t.Context(), address, registry.Options{})
		if err == nil {
			s.Close()
			t.Errorf("%q was opened", address)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// The audit log cannot be rewritten, even by who has the file.
func TestR10_AppendOnly(t *testing.T) {
	db := rawFile(t, filled(t))
	for _, query := range []string{`UPDATE audit SET actor = 'eve'`, `DELETE FROM audit`} {
		if _, err := db.Exec(query); err == nil {
			t.Errorf("%s: it was done", query)
		}
	}
}

// A copy that is made while everybody writes is the store of one moment.
func TestB68_Backup(t *testing.T) {
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "registry.db")
	s := openAt(t, "sqlite:"+file)
	w := newWorld(t, s, nil)
	w.createAs(t, &gateway.Device{Key: w.device("blocked"), Blocked: true})
	_, token, err := func() ([]*gateway.Device, string, error) {
		w.create(t, "zzz")
		return s.Devices(ctx, w.key, gateway.DeviceFilter{}, gateway.Page{Size: 1})
	}()
	if err != nil {
		t.Fatal(err)
	}
	const writers = 4
	var writing sync.WaitGroup
	saved := make(chan struct{})
	started := make(chan struct{}, writers)
	for i := range writers {
		writing.Go(func() {
			for j := 0; ; j++ {
				w.create(t, fmt.Sprintf("device-%d-%06d", i, j))
				if j == 5 {
					started <- struct{}{}
				}
				select {
				case <-saved:
					return
				default:
				}
			}
		})
	}
	for range writers {
		<-started
	}
	copied := filepath.Join(t.TempDir(), "backup.db")
	err = s.Backup(ctx, copied)
	close(saved)
	writing.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(ctx, copied); err == nil {
		t.Error("a backup was written over another")
	}
	if left, _ := filepath.Glob(copied + "?*"); len(left) != 0 {
		t.Errorf("the backup left %v", left)
	}

	restored := openAt(t, "sqlite:"+copied)
	if d, err := restored.Device(ctx, w.device("blocked")); err != nil || !d.Blocked {
		t.Errorf("the blocked device is %+v, %v", d, err)
	}
	next := make([]int, writers) // of each writer the devices up to one, and all of them
	count := 0
	for page := (gateway.Page{Token: token, Size: 500}); ; {
		list, more, err := restored.Devices(ctx, w.key, gateway.DeviceFilter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			var i, j int
			if n, _ := fmt.Sscanf(d.Key.Device, "device-%d-%d", &i, &j); n != 2 {
				continue
			}
			if j != next[i] {
				t.Fatalf("%s is there, %d of that writer is not", d.Key.Device, next[i])
			}
			original, err := s.Device(ctx, d.Key)
			if err != nil || original.Number != d.Number {
				t.Errorf("%+v, the original %+v, %v", d, original, err)
			}
			next[i]++
			count++
		}
		if page.Token = more; more == "" {
			break
		}
	}
	entries := 0
	for page := (gateway.Page{Size: 500}); ; {
		list, more, err := restored.Audit(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		entries += len(list)
		if page.Token = more; more == "" {
			break
		}
	}
	if count < 5*writers || entries != count+3 {
		t.Errorf("%d devices and %d entries in the copy", count, entries)
	}
}

// B33: who holds which device is known without the file.
func TestB33_ClaimsWithoutTheFile(t *testing.T) {
	s, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := newWorld(t, s, nil).create(t, "device1")
	first, err := s.Claim(t.Context(), d.Number, "here")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // and so it does not answer
		t.Fatal(err)
	}
	if _, err := s.Device(t.Context(), d.Key); err == nil {
		t.Fatal("it answers")
	}
	if second, err := s.Claim(t.Context(), d.Number, "here"); err != nil || second <= first {
		t.Errorf("epoch %d after %d, %v", second, first, err)
	}
}

// The copy may be made by another process, which has not the store's lock.
func TestB68_BackupFromBeside(t *testing.T) {
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "registry.db")
	s := openAt(t, "sqlite:"+file)
	w := newWorld(t, s, nil)
	w.createAs(t, &gateway.Device{Key: w.device("blocked"), Blocked: true})
	copied := filepath.Join(t.TempDir(), "backup.db")
	if err := registry.Backup(ctx, "sqlite:"+file, copied); err != nil {
		t.Fatal(err)
	}
	if d, err := openAt(t, "sqlite:"+copied).Device(ctx, w.device("blocked")); err != nil || !d.Blocked {
		t.Errorf("the blocked device is %+v, %v", d, err)
	}
	for address, why := range map[string]string{
		"sqlite:" + file:                 "replaces nothing",
		"sqlite:" + file + ".not":        "no such file",
		"sqlite:" + filepath.Dir(file):   "",
		"":                               "pg_dump",
		"postgres://u:secret@h/database": "pg_dump",
	} {
		to := copied
		if why != "replaces nothing" {
			to += ".other"
		}
		if err := registry.Backup(ctx, address, to); err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "secret") {
			t.Errorf("of %q: %v", address, err)
		}
		if left, _ := filepath.Glob(copied + ".other*"); len(left) != 0 {
			t.Errorf("of %q: it left %v", address, left)
		}
	}
}
