package testpostgres

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

var databases atomic.Int64

// Database makes a fresh database, which goes with the test, and returns its address.
// Where there is no PostgreSQL the test is skipped aloud, or fails if
// IOTBRIDGE_TOOLS=required.
func Database(t testing.TB) string {
	t.Helper()
	address, err := server()
	switch {
	case err != nil && os.Getenv("IOTBRIDGE_TOOLS") == "required":
		t.Fatal(err)
	case err != nil:
		t.Skipf("NOT TESTED on PostgreSQL: %v (Debian: apt-get install postgresql; or set IOTBRIDGE_TEST_POSTGRES=postgres://…)", err)
	}
	fresh, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("iotbridge_test_%d_%d", os.Getpid(), databases.Add(1))
	fresh.Path = "/" + name
	run := func(statement string) error {
		ctx := context.Background()
		c, err := pgx.Connect(ctx, address)
		if err != nil {
			return err
		}
		defer c.Close(ctx)
		_, err = c.Exec(ctx, statement)
		return err
	}
	if err := run("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return fresh.String()
}
