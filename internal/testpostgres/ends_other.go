//go:build !linux

package registry_test

import "syscall"

func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
