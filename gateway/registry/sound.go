package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// create makes the file if there is none. It gets its name when it is whole, so a
// file that is there and empty was emptied by something else.
func (e *sqliteFile) create(ctx context.Context) error {
	st, err := os.Stat(e.file)
	switch {
	case err == nil && st.Size() < smallest:
		return fmt.Errorf("%s is empty or cut short: restore a backup, or remove it to begin anew", e.file)
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	if _, err := os.Stat(e.file + "-wal"); err == nil {
		return fmt.Errorf("%s is gone and its log %s-wal is there: put the file back, or remove the log to begin anew", e.file, e.file)
	}
	fresh := e.file + ".new"
	for _, suffix := range []string{"", "-journal"} {
		if err := os.Remove(fresh + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	db, err := sql.Open("sqlite", uri(fresh)+"?_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if err := errors.Join(migrate(ctx, sqliteTables, db), db.Close(), os.Chmod(fresh, 0o600)); err != nil {
		return err
	}
	return place(fresh, e.file)
}

// place renames a whole file to its name, durably.
func place(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

const smallest = 512 // bytes of a database: one page

const applicationID = 0x696f7472 // in the file's header; the first migration sets it

// sound refuses a file that is not ours, is damaged, or has other tables than we
// would have made. Damage inside a value that is still a value of its column cannot
// be seen: SQLite keeps no checksums.
func (e *sqliteFile) sound(ctx context.Context, db *sql.DB) error {
	var id int64
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return err
	}
	if id != applicationID {
		return fmt.Errorf("%s is the database of another program: give another file", e.file)
	}
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%s is damaged: restore a backup (%s)", e.file, printable(verdict, 200))
	}
	if err := migrate(ctx, sqliteTables, db); err != nil {
		return fmt.Errorf("%s: %w", e.file, err)
	}
	model, err := sql.Open("sqlite", "file::memory:")
	if err != nil {
		return err
	}
	defer model.Close()
	model.SetMaxOpenConns(1)
	if err := migrate(ctx, sqliteTables, model); err != nil {
		return err
	}
	want, err := shape(ctx, model)
	if err != nil {
		return err
	}
	if got, err := shape(ctx, db); err != nil || got != want {
		return errors.Join(err, fmt.Errorf("%s has other tables than its version says: restore a backup", e.file))
	}
	return nil
}

// shape is the text of all tables, indexes and triggers.
func shape(ctx context.Context, db *sql.DB) (text string, err error) {
	err = db.QueryRowContext(ctx, `SELECT coalesce(group_concat(sql, char(10)), '') FROM (
		SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\_stat%' ESCAPE '\' ORDER BY type, name)`).Scan(&text)
	return text, err
}
