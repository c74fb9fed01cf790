package registry_test

import (
	"database/sql"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"iotbridge/gateway/registry"
	"iotbridge/internal/testpostgres"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testpostgres.Stop()
	os.Exit(code)
}

// raw is the database without the store before it.
func raw(t testing.TB, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func run(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

func TestPostgreSQL(t *testing.T) {
	address := testpostgres.Database(t)
	conform(t, func(t testing.TB) *registry.Store { return openAt(t, address) })
}
