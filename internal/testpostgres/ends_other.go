//go:build !linux

package testpostgres

import "syscall"

func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
