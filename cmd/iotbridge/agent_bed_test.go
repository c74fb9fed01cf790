package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"iotbridge/internal/site"
	"iotbridge/internal/testprograms"
)

// agentsVariable names a folder of agents that were built already, as iotbridge-agent-arm64.
const agentsVariable = "IOTBRIDGE_AGENTS"

// agentPatience is for what must happen; a machine may be busy, and emulate another.
const agentPatience = 2 * time.Minute

// agentFor is the agent as it is shipped, for one architecture; arm is armv6.
func agentFor(t *testing.T, arch string) string {
	t.Helper()
	if dir := os.Getenv(agentsVariable); dir != "" {
		return filepath.Join(dir, "iotbridge-agent-"+arch)
	}
	return testprograms.Path(t, "iotbridge-agent", "GOARCH="+arch)
}

// served is a local system in a process of its own.
type served struct {
	dir string
	*site.Site
}

func serveLocal(t *testing.T, more ...string) *served {
	t.Helper()
	s := &served{dir: t.TempDir()}
	var stderr bytes.Buffer
	system := exec.Command(program(t), append([]string{"local", "--data", s.dir, "--ephemeral", "--log-level", "error"}, more...)...)
	system.Stderr = &stderr
	if err := system.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = system.Process.Signal(os.Interrupt)
		if err := system.Wait(); err != nil || t.Failed() {
			t.Errorf("iotbridge local: %v\n%s", err, &stderr)
		}
	})
	var err error
	if s.Site, err = awaitSite(s.dir, true); err != nil {
		t.Fatal(err)
	}
	return s
}

// cli runs one of the operator's commands.
func (s *served) cli(t *testing.T, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program(t), append(args, "--local", s.dir)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("iotbridge %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// device is a machine with an agent on it.
type deviceBed struct {
	t      *testing.T
	id     string
	dir    string
	starts []string // the agent; before it an emulator
	env    []string
}

// device does what an owner does: a key on the device, its registration by an operator,
// and the file that this prints, unchanged.
func (s *served) device(t *testing.T, id string, starts ...string) *deviceBed {
	t.Helper()
	d := &deviceBed{t: t, id: id, dir: t.TempDir(), starts: starts}
	out, err := d.agent("keygen", "--key-path", d.dir).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("iotbridge devices create")) {
		t.Fatalf("keygen: %v\n%s", err, out)
	}
	file := s.cli(t, "devices", "create", id, "--public-key", filepath.Join(d.dir, "ec_public.pem"))
	roots, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"gcp_iot_config.txt": file, "roots.pem": roots} {
		if err := os.WriteFile(filepath.Join(d.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *deviceBed) agent(args ...string) *exec.Cmd {
	cmd := exec.Command(d.starts[0], append(d.starts[1:len(d.starts):len(d.starts)], args...)...)
	cmd.Env = append(os.Environ(), d.env...)
	return cmd
}

// settled are the arguments of a command that reads the device's file. Its KEY_PATH is
// a Raspberry Pi's.
func (d *deviceBed) settled(command string, more ...string) *exec.Cmd {
	return d.agent(append([]string{command, "-c", filepath.Join(d.dir, "gcp_iot_config.txt"), "--key-path", d.dir}, more...)...)
}

// run starts the agent, which ends in order with the test.
func (d *deviceBed) run(more ...string) *exec.Cmd {
	d.t.Helper()
	cmd := d.settled("run", more...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || d.t.Failed() {
			d.t.Errorf("the agent of %s ended with %v\n%s", d.id, err, &stderr)
		}
	})
	return cmd
}

// says asks the agent how it fares, until the answer is as wanted.
func (d *deviceBed) says(wanted func(exit int, answer string) bool) string {
	d.t.Helper()
	var last string
	for end := time.Now().Add(agentPatience); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
		out, err := d.agent("status", "--json", "-c", filepath.Join(d.dir, "gcp_iot_config.txt")).CombinedOutput()
		exit := 0
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			exit = failed.ExitCode()
		} else if err != nil {
			d.t.Fatal(err)
		}
		if last = string(out); wanted(exit, last) {
			return last
		}
	}
	d.t.Fatalf("%s says: %s", d.id, last)
	return ""
}

// highWater is the most memory of a process that was ever resident, in KiB.
func highWater(t *testing.T, pid int) (kib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Fatalf("no VmHWM:\n%s", text)
	return 0
}
