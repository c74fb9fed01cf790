//go:build unix

package spool

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags: a pipe put in a file's place must not make us wait for its other end.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// flock takes the lock; the system gives it up with the process, however that ends.
func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

func owned(is fs.FileInfo) (uid, names int, known bool) {
	s, ok := is.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(s.Uid), int(s.Nlink), true
}
