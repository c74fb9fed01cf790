//go:build unix

package sensor

import (
	"errors"
	"os"
	"syscall"
)

// readAttribute reads a file of sysfs with one read, as sysfs wants it: each one is
// a measurement of its own. An os.File would hand the file to the runtime's poller,
// and a driver's EAGAIN would then be waited for without end.
func readAttribute(path string, buf []byte) (int, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	n, err := syscall.Read(fd, buf)
	if err != nil {
		return 0, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return n, nil
}

// interrupted: the driver gave up its wait for the conversion because of a signal.
func interrupted(err error) bool { return errors.Is(err, syscall.EINTR) }

// gone: a probe that went away while it was read.
func gone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENXIO)
}
