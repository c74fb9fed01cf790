//go:build unix

package bigquery

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock keeps a second process from the same file. The system gives it up when this
// process ends, however it ends. It is a file of its own: to close any other handle
// of the database would release SQLite's locks on it.
func lock(file string) (*os.File, error) {
	f, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: %w", file, ErrLocked)
	}
	return nil, fmt.Errorf("%s.lock: %w", file, err)
}
