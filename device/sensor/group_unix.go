//go:build unix

package sensor

import (
	"os/exec"
	"syscall"
)

// inOwnGroup puts the command at the head of a process group of its own, so that
// what it starts is killed with it.
func inOwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		killGroup(cmd)
		return nil
	}
}

// killGroup also does so when the head has ended: the kernel does not give its
// number away while one of the group lives.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
