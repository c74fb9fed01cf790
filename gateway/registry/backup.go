package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Backup writes a copy of the store, as it is at one moment, to a new file; writing
// goes on meanwhile. To restore it, stop the gateway, put the copy in the file's
// place and remove the file's -wal and -shm. PostgreSQL has pg_dump.
func (s *Store) Backup(ctx context.Context, file string) error { return s.engine.backup(ctx, file) }

// Backup does it from beside the process that has the store open, if any has.
func Backup(ctx context.Context, address, file string) error {
	db, ok := strings.CutPrefix(address, "sqlite:")
	if !ok || db == "" {
		return postgres{}.backup(ctx, file)
	}
	if _, err := os.Stat(db); err != nil { // SQLite would say less
		return err
	}
	e := &sqliteFile{file: db}
	return e.explain(e.backup(ctx, file))
}

func (e *sqliteFile) backup(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s is there already: give a new file, a backup replaces nothing", file)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	part := file + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	defer os.Remove(part)
	db, err := sql.Open("sqlite", uri(e.file)+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return e.explain(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?1`, part); err != nil {
		return fmt.Errorf("backup to %s: %w", file, err)
	}
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	return place(part, file)
}

func (postgres) backup(context.Context, string) error {
	return errors.New("only a store in a file, sqlite:FILE, is saved by this; PostgreSQL is by pg_dump, which may run at any time")
}
