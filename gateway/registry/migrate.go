package registry

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// tables is how one engine's tables come to be: numbered steps, each in a transaction.
type tables struct {
	dialect goose.Dialect
	folder  string
	options []goose.ProviderOption
}

var sqliteTables = tables{goose.DialectSQLite3, "migrations/sqlite", []goose.ProviderOption{keysFromBefore(sqliteWords.Replace)}}

// migrate brings the tables up to date, and refuses those of a newer program.
func migrate(ctx context.Context, t tables, db *sql.DB) error {
	steps, err := fs.Sub(migrations, t.folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(t.dialect, db, steps, t.options...)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	newest := sources[len(sources)-1].Version
	version, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("the version of its tables cannot be read, restore a backup: %w", err)
	}
	switch {
	case version > newest:
		return fmt.Errorf("its tables have version %d and this program knows %d: use the newer program", version, newest)
	case version == newest:
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("its tables cannot be brought from version %d to %d: %w", version, newest, err)
	}
	return nil
}
