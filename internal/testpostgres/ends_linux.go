package testpostgres

import "syscall"

// endsWithUs lets the server end even when the tests are killed.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT} }
