package agentd

import (
	"errors"

	"golang.org/x/sys/unix"
)

// noDump keeps the process's memory to itself: no core file, and no tracing by others
// of the same user.
func noDump() error {
	var core unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_CORE, &core)
	if err != nil || core.Cur != 0 { // a sandbox that set it may forbid to
		err = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	}
	return errors.Join(err, unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}
