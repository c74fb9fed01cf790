package agentd

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// protection is how this process is protected.
func protection() string {
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return err.Error()
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("dumpable %d, core %d, umask %#o", dumpable, core.Cur, syscall.Umask(0))
}
