package agentd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"iotbridge/device"
	"iotbridge/device/spool"
)

// openSpool takes the spool for this process.
func (s *Settings) openSpool(clock device.Clock, log *zap.Logger) (*spool.Spool, error) {
	syncs, err := s.syncs()
	if err != nil {
		return nil, err
	}
	machine, _ := os.ReadFile("/etc/machine-id") // unknown is fine
	return spool.Open(s.dir(s.config), spool.Options{
		MaxBytes: int64(s.SpoolSize), MaxAge: s.SpoolAge, Block: s.SpoolPolicy == "block", Sync: syncs,
		MachineID: strings.TrimSpace(string(machine)),
		Now: func() time.Time {
			if !clock.Plausible() {
				return time.Time{}
			}
			return clock.Now()
		},
		Warn: func(what string) { log.Warn("spool", zap.String("what", what)) },
	})
}

// lookAtSpool does not open the spool: who looks may be another user, and what an
// open makes would be theirs.
func (d *Doctor) lookAtSpool(clock device.Clock) (string, error) {
	dir := d.dir(d.config)
	at, err := os.Lstat(dir)
	where := dir
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if where = nearest(dir); !writable(where) {
			return "", fmt.Errorf("%s is not there and cannot be made: mkdir -m 700 it, and give it to the agent's user, or set SPOOL_DIR", dir)
		}
	case err != nil:
		return "", fmt.Errorf("%w: set SPOOL_DIR", err)
	case !at.IsDir():
		return "", fmt.Errorf("%s is no directory: take it away, or set SPOOL_DIR", dir)
	case at.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s is open to others (mode %#o): chmod 700 %s", dir, at.Mode().Perm(), dir)
	case !writable(dir):
		return "", fmt.Errorf("%s may not be written by this user: run as the agent's user, or chown it", dir)
	}
	free, err := room(where)
	if err != nil {
		return "", err
	}
	if free < 1<<20 {
		return "", fmt.Errorf("%s has %d bytes free: make room on the disk", where, free)
	}
	detail := fmt.Sprintf("%s, %d MiB free", dir, free>>20)
	if now, err := readState(dir, clock); err == nil && now != nil {
		detail += fmt.Sprintf(", %d readings wait", now.Spool.Records)
	}
	return detail, nil
}

// nearest is the folder that is there, of those in which dir would be made.
func nearest(dir string) string {
	for {
		up := filepath.Dir(dir)
		if _, err := os.Lstat(up); up == dir || !errors.Is(err, fs.ErrNotExist) {
			return up
		}
		dir = up
	}
}

func writable(dir string) bool {
	const w = 2 // access(2)
	return syscall.Access(dir, w) == nil
}

func room(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("%s: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // their types differ between systems
}
