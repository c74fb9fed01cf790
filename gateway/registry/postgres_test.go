package registry_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"iotbridge/gateway/registry"
)

// server is one PostgreSQL for all tests of this run; stop ends it.
var server = sync.OnceValues(startPostgres)

var stopServer = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	stopServer()
	os.Exit(code)
}

// database makes a fresh database and returns its address, or skips aloud.
func database(t testing.TB) string {
	t.Helper()
	address, err := server()
	if err != nil {
		t.Skipf("NOT TESTED on PostgreSQL: %v (Debian: apt-get install postgresql; or set IOTBRIDGE_TEST_POSTGRES=postgres://…)", err)
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	name := fmt.Sprintf("registry_%d_%d", os.Getpid(), worlds.Add(1))
	if _, err := c.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c, err := pgx.Connect(ctx, address)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close(ctx)
		if _, err := c.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(address, "/"+config.Database+"?", "/"+name+"?", 1)
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
	address := database(t)
	conform(t, func(t testing.TB) *registry.Store { return openAt(t, address) })
}

// startPostgres runs Debian's PostgreSQL on a directory and a socket of its own. It
// refuses to be root, so root becomes its user.
func startPostgres() (address string, err error) {
	if address := os.Getenv("IOTBRIDGE_TEST_POSTGRES"); address != "" {
		if !strings.Contains(address, "?") {
			address += "?"
		}
		return address, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if path, err := exec.LookPath("postgres"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return "", errors.New("no postgres in /usr/lib/postgresql/*/bin or PATH")
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("", "pg") // short: a socket's path has 107 bytes at most
	if err != nil {
		return "", err
	}
	as := endsWithUs()
	if os.Getuid() == 0 {
		if as.Credential, err = postgresUser(dir); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	stopServer = func() { os.RemoveAll(dir) }
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", dir+"/data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", dir+"/data", "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
	postgres.SysProcAttr, postgres.Dir = as, dir
	var log bytes.Buffer
	postgres.Stderr = &log
	if err := postgres.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- postgres.Wait() }()
	stopServer = func() {
		postgres.Process.Signal(syscall.SIGQUIT)
		<-ended
		os.RemoveAll(dir)
	}
	address = "postgres://tester@/postgres?host=" + dir
	for deadline := time.After(2 * time.Minute); ; {
		c, err := pgx.Connect(context.Background(), address)
		if err == nil {
			return address, c.Close(context.Background())
		}
		select {
		case err := <-ended:
			ended <- err
			return "", fmt.Errorf("postgres ended: %w: %s", err, log.String())
		case <-deadline:
			return "", fmt.Errorf("postgres is not ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func postgresUser(dir string) (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("postgres will not run as root: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}
