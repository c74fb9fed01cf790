package loadtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// usage is what a process has taken.
type usage struct {
	cpu time.Duration // user and system
	rss int64         // bytes
}

// Linux counts a process' time in hundredths of a second, whatever the kernel's own
// clock (proc_pid_stat(5), sysconf(3): _SC_CLK_TCK).
const clockTick = time.Second / 100

// readUsage reads /proc/PID/stat.
func readUsage(pid int) (usage, error) {
	name := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return usage{}, err
	}
	u, err := parseUsage(text)
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w", name, err)
	}
	return u, nil
}

func parseUsage(text []byte) (usage, error) {
	// The second field, a name in parentheses, may hold anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const utime, stime, rss = 14 - 3, 15 - 3, 24 - 3
	if len(fields) <= rss {
		return usage{}, errors.New("too few fields")
	}
	var n [3]int64
	for i, field := range []int{utime, stime, rss} {
		var err error
		if n[i], err = strconv.ParseInt(string(fields[field]), 10, 64); err != nil {
			return usage{}, err
		}
	}
	return usage{time.Duration(n[0]+n[1]) * clockTick, n[2] * int64(os.Getpagesize())}, nil
}

// usage is the server's, zero where it cannot be known.
func (l *Load) usage() usage {
	if l.PID == 0 {
		return usage{}
	}
	u, _ := readUsage(l.PID)
	return u
}

func ownUsage() usage {
	u, _ := readUsage(os.Getpid())
	return u
}
