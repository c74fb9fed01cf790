package agentd

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot counts suspended time too.
func sinceBoot() (time.Duration, bool) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// synchronised asks the kernel, and systemd-timesyncd, which leaves a file once it has
// set the clock: adjtimex(2), systemd-timesyncd.service(8).
func synchronised() bool {
	var tx unix.Timex
	if _, err := unix.Adjtimex(&tx); err == nil && tx.Status&unix.STA_UNSYNC == 0 {
		return true
	}
	_, err := os.Stat("/run/systemd/timesync/synchronized")
	return err == nil
}
