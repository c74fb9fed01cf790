//go:build !unix

package localcloud

import "os"

// lock marks the directory; here it keeps nobody out.
func lock(name string) (*os.File, error) { return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) }
