package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A full disk is one sentence: at the start, on a disk that takes nothing.
func TestAFullDiskIsOneSentence(t *testing.T) {
	out, err := onDisk(t, "64k", `dd if=/dev/zero of="$0/filler" bs=1k 2>/dev/null; exec "$1" local --data "$0" --for 1s --ephemeral --log-level error`)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("error %v, want exit code 1", err)
	}
	if !regexp.MustCompile(`(?m)^iotbridge: .*(no space left on device|disk is full).*$`).MatchString(out) || strings.Count(strings.TrimSpace(out), "\n") != 0 {
		t.Errorf("printed %q, want one sentence about the disk", out)
	}
}

// onDisk runs a shell command with a small file system of its own at $0, and this
// program as $1, and returns what it prints.
func onDisk(t *testing.T, size, command string) (string, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mount := `mount -t tmpfs -o size=` + size + ` none "$0" || exit 99; `
	cmd := exec.CommandContext(t.Context(), "sh", "-c", mount+command, dir, program(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 99 || err != nil && exit == nil {
		t.Skipf("no file system can be mounted here: %v %s", err, out.String())
	}
	return out.String(), err
}
