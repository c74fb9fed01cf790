package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Backup writes a copy of the store, as it is at one moment, to a new file; writing
// goes on meanwhile. To restore it, stop the gateway, put the copy in the file's
// place and remove the file's -wal and -shm. PostgreSQL has pg_dump.
func (s *Store) Backup(ctx context.Context, file string) error {
	if err := s.engine.check(file); err != nil {
		return err
	}
	part := file + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	defer os.Remove(part)
	c, err := s.reads.Conn(ctx)
	if err != nil {
		return s.engine.explain(err)
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, `VACUUM INTO ?1`, part); err != nil {
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

func (e *sqliteFile) check(file string) error {
	_, err := os.Stat(file)
	if err == nil {
		return fmt.Errorf("%s is there already: give a new file, a backup replaces nothing", file)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
