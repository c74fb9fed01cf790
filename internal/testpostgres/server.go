package testpostgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

var (
	server = sync.OnceValues(start)
	stop   = func() {}
)

// Stop ends the server, if a test began one: TestMain calls it.
func Stop() { stop() }

// start runs Debian's PostgreSQL. It refuses to be root, so root becomes its user.
func start() (address string, err error) {
	if address := os.Getenv("IOTBRIDGE_TEST_POSTGRES"); address != "" {
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
	stop = func() { os.RemoveAll(dir) }
	as := endsWithUs()
	if os.Getuid() == 0 {
		if as.Credential, err = postgresUser(dir); err != nil {
			return "", err
		}
	}
	ctx := context.Background()                                                                                                                                 // the server outlives the test that asked first
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", dir+"/data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync") //nolint:gosec // what was found above
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	postgres := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "-D", dir+"/data", "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200") //nolint:gosec // as above
	var log bytes.Buffer
	postgres.SysProcAttr, postgres.Dir, postgres.Stderr = as, dir, &log
	if err := postgres.Start(); err != nil {
		return "", err
	}
	var exit error
	ended := make(chan struct{})
	go func() {
		exit = postgres.Wait()
		close(ended)
	}()
	stop = func() {
		_ = postgres.Process.Signal(syscall.SIGQUIT) // it has ended, or ends
		<-ended
		os.RemoveAll(dir)
	}
	address = "postgres://tester@/postgres?host=" + dir
	for deadline := time.After(2 * time.Minute); ; {
		c, err := pgx.Connect(ctx, address)
		if err == nil {
			return address, c.Close(ctx)
		}
		select {
		case <-ended:
			return "", fmt.Errorf("postgres ended: %w: %s", exit, log.String())
		case <-deadline:
			return "", fmt.Errorf("postgres is not ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// postgresUser is the user that Debian's packages make; dir becomes its own.
func postgresUser(dir string) (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("postgres will not run as root: %w", err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}
