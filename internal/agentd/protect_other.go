//go:build !linux

package agentd

import "syscall"

// noDump keeps the process's memory out of core files.
func noDump() error { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
