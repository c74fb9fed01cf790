package gatewayd_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var (
	server     = sync.OnceValues(startPostgres)
	stopServer = func() {}
	databases  atomic.Int64
)

// database makes a fresh one and returns its address, or skips aloud.
func database(t *testing.T) string {
	t.Helper()
	address := os.Getenv("IOTBRIDGE_TEST_POSTGRES")
	if address == "" {
		var err error
		if address, err = server(); err != nil && os.Getenv("IOTBRIDGE_TOOLS") == "required" {
			t.Fatal(err)
		} else if err != nil {
			t.Skipf("NOT TESTED on PostgreSQL: %v (Debian: apt-get install postgresql; or set IOTBRIDGE_TEST_POSTGRES=postgres://…)", err)
		}
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	config := c.Config()
	name := fmt.Sprintf("gatewayd_%d_%d", os.Getpid(), databases.Add(1))
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
	return fmt.Sprintf("postgres://%s:%s@/%s?host=%s&port=%d", config.User, config.Password, name, config.Host, config.Port)
}

// startPostgres runs Debian's PostgreSQL on a directory and a socket of its own; root
// becomes its user, as it refuses to be root.
func startPostgres() (address string, err error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", fmt.Errorf("no /usr/lib/postgresql/*/bin/postgres")
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return "", err
	}
	stopServer = func() { os.RemoveAll(dir) }
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return "", fmt.Errorf("postgres will not run as root: %w", err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			return "", err
		}
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", dir+"/data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	var log bytes.Buffer
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", dir+"/data", "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	postgres.SysProcAttr, postgres.Dir, postgres.Stderr = as, dir, &log
	if err := postgres.Start(); err != nil {
		return "", err
	}
	stopServer = func() {
		postgres.Process.Signal(syscall.SIGQUIT)
		postgres.Wait()
		os.RemoveAll(dir)
	}
	address = "postgres://tester@/postgres?host=" + dir
	for deadline := time.Now().Add(2 * time.Minute); ; {
		c, err := pgx.Connect(context.Background(), address)
		if err == nil {
			return address, c.Close(context.Background())
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("postgres is not ready: %w: %s", err, log.String())
		}
		<-time.After(20 * time.Millisecond)
	}
}
