//go:build unix

package loadtest

import (
	"fmt"
	"syscall"
)

// NeedFiles raises the limit of open files as far as it goes, and refuses when that
// is less than n.
func NeedFiles(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
	}
	if limit.Cur < uint64(n) {
		return fmt.Errorf("%d open files are needed and this process may have %d: raise the hard limit (ulimit -Hn, LimitNOFILE=), or take fewer --devices or --half-open", n, limit.Cur)
	}
	return nil
}
