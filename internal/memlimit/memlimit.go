// Package memlimit makes the garbage collector respect the container's memory.
// (GOMAXPROCS needs no such help: the runtime reads the CPU limit itself.)
package memlimit

import (
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// Set makes the soft memory limit 90 % of what the cgroup allows, unless
// GOMEMLIMIT says otherwise, and logs the limit in force.
func Set(log *zap.Logger) {
	if os.Getenv("GOMEMLIMIT") == "" {
		if limit := cgroupLimit(os.DirFS("/")); limit > 0 {
			debug.SetMemoryLimit(limit / 10 * 9)
		}
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		log.Info("memory limit", zap.Int64("bytes", limit))
	}
}

// cgroupLimit returns the lowest limit between this process and the root of its
// hierarchy, or 0. Version 1 writes "no limit" as a number near 2^63.
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
func cgroupLimit(root fs.FS) int64 {
	membership, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	lowest := int64(math.MaxInt64 >> 1)
	for line := range strings.Lines(string(membership)) {
		hierarchy, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, dir, _ := strings.Cut(rest, ":")
		mount, file := "sys/fs/cgroup", "memory.max"
		switch {
		case hierarchy == "0" && controllers == "":
		case strings.Contains(","+controllers+",", ",memory,"):
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// In a container the path may be the host's: the walk up ends at the
		// mount, which is then the container's own group.
		for dir = path.Clean("/" + dir); ; dir = path.Dir(dir) {
			if limit := readLimit(root, path.Join(mount, dir, file)); limit > 0 {
				lowest = min(lowest, limit)
			}
			if dir == "/" {
				break
			}
		}
	}
	if lowest == math.MaxInt64>>1 {
		return 0
	}
	return lowest
}

func readLimit(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	if err != nil { // "max"
		return 0
	}
	return limit
}

// CollectAt is for a program that holds much for the garbage it makes: collecting
// before there is as much garbage as Go would allow, percent of what is held, leaves
// less memory idle. GOGC overrules it.
func CollectAt(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
