package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"go.uber.org/zap"
)

// postgres is the engine that gateways share.
type postgres struct{}

const maxConnections = 16

func openServer(ctx context.Context, address string, log *zap.Logger) (_ *Store, err error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("store postgres://…: %w", err) // the driver leaves out the password
	}
	config.RuntimeParams["application_name"] = "iotbridge"
	config.RuntimeParams["statement_timeout"] = "20000"
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "20000"
	config.ConnectTimeout = 5 * time.Second
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	s := &Store{engine: postgres{}, db: db, reads: db, log: log}
	if err := prepare(ctx, db); err != nil {
		return nil, s.engine.explain(err)
	}
	if s.bus, err = newSharedBus(ctx, s, config); err != nil {
		return nil, s.engine.explain(err)
	}
	if err := s.loadPageKey(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// prepare brings the tables up to date; of gateways that start together one does.
func prepare(ctx context.Context, db *sql.DB) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return err
	}
	t := tables{goose.DialectPostgres, "migrations/postgres", []goose.ProviderOption{goose.WithSessionLocker(locker), keysFromBefore(postgres{}.spell)}}
	if err := migrate(ctx, t, db); err != nil {
		return err
	}
	return complete(ctx, t, db)
}

var createTable = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// complete refuses a database in which a table is missing that its version has.
func complete(ctx context.Context, t tables, db *sql.DB) error {
	files, err := fs.Glob(migrations, t.folder+"/*.sql")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range createTable.FindAllStringSubmatch(string(text), -1) {
			var there bool
			if err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, m[1]).Scan(&there); err != nil {
				return err
			}
			if !there {
				return fmt.Errorf("the database has no table %s, though its version says so: restore a backup", m[1])
			}
		}
	}
	return nil
}

func (postgres) spell(query string) string { return query }

func (postgres) taken(err error) bool { return sqlState(err) == "23505" }

func (postgres) again(err error, committing bool) bool {
	switch sqlState(err) {
	case "40001", "40P01": // met another transaction
		return true
	case "57P01": // the server ends connections, as it does before a restart
		return !committing
	}
	return !committing && pgconn.SafeToRetry(err)
}

func sqlState(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

func (postgres) explain(err error) error {
	var connect *pgconn.ConnectError
	switch state := sqlState(err); {
	case state == "53100":
		return fmt.Errorf("PostgreSQL cannot write: make room on its disk, it goes on by itself: %w", err)
	case state != "":
		return fmt.Errorf("PostgreSQL: %w", err)
	case errors.As(err, &connect):
		return fmt.Errorf("PostgreSQL cannot be reached: start it, or give its right address: %w", err)
	}
	return err
}

func (postgres) close() error { return nil }
