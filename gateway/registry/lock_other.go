//go:build !unix

package registry

import "os"

// lockFile is only a marker here: nothing keeps a second process from the same file.
func lockFile(file string) (*os.File, error) {
	return os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
}
