//go:build !unix

package spool

import (
	"errors"
	"io/fs"
	"os"
)

const openFlags = 0

// flock: without it two agents would use a number twice.
func flock(*os.File) error { return errors.ErrUnsupported }

func owned(fs.FileInfo) (uid, names int, known bool) { return 0, 0, false }
