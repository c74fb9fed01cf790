package agentd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"iotbridge/device"
	"iotbridge/device/spool"
)

// tree makes a folder as the kernel's 1-wire driver shows one.
func tree(t *testing.T, probes int) string {
	t.Helper()
	root := t.TempDir()
	for i := range probes {
		dir := filepath.Join(root, fmt.Sprintf("28-%012x", int64(0x0316a2795b12)+int64(i)))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "w1_slave"), "57 01 4b 46 7f ff 0c 10 17 : crc=17 YES\n57 01 4b 46 7f ff 0c 10 17 t=21437\n", 0o444)
	}
	return root
}

// From the sensor over the disk, TLS and the real gateway into Pub/Sub, under the
// identity that the key has proved; and a device that is blocked stops while another
// goes on.
func TestReadingsArriveUntilTheDeviceIsBlocked(t *testing.T) {
	t.Parallel()
	s := start(t)
	wired := s.device("wired", "INTERVAL = 200ms", "ONE_WIRE = "+tree(t, 2))
	simulated := s.device("simulated", "INTERVAL = 200ms", "SIMULATE = yes")
	wired.run()
	simulated.run()

	all := s.waitFor("six readings of each", func(all []reading) bool { return of("wired", all) >= 6 && of("simulated", all) >= 6 })
	probes := map[string]bool{}
	ids := map[string]bool{}
	for _, r := range all {
		if r.Claim != r.Device || r.C == nil || r.At == 0 || r.ID == "" || ids[r.ID] {
			t.Fatalf("%+v, of %d", r, len(all))
		}
		ids[r.ID] = true
		if r.Device == "wired" {
			probes[r.Probe] = true
			if *r.C != 21.437 {
				t.Errorf("measured %v", *r.C)
			}
		}
	}
	if len(probes) != 2 || !probes["28-0316a2795b12"] {
		t.Errorf("probes %v", probes)
	}

	_, err := s.admin.UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{
		Device: &iotpb.Device{Name: registry + "/devices/wired", Blocked: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"blocked"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	wired.state("refused", func(s *state) bool { return s.Link != "sending" && strings.Contains(s.LastError, "CONNACK 5") })
	more := func(than []reading) []reading {
		return s.waitFor("ten more of the other", func(all []reading) bool { return of("simulated", all) >= of("simulated", than)+10 })
	}
	blocked := more(s.arrived()) // what was under way has come by then
	after := more(blocked)
	if of("wired", after) != of("wired", blocked) {
		t.Errorf("%d readings of a blocked device", of("wired", after)-of("wired", blocked))
	}
	if held := wired.state("keeping", func(s *state) bool { return s.Spool.Records > 0 }); held.Spool.Dropped != 0 {
		t.Errorf("lost %d", held.Spool.Dropped)
	}
	if got := simulated.state("sending", func(s *state) bool { return s.Link == "sending" }); got.LastPuback.IsZero() || got.Sent == 0 {
		t.Errorf("%+v", got)
	}
}

// The cloud's configuration reaches the agent, and its number is told.
func TestTheCloudChangesTheIntervalWithinTheOwnersBounds(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.device("device1", "SIMULATE = yes", "INTERVAL = 1h", "MIN_INTERVAL = 300ms")
	p.run()
	p.state("sending", func(s *state) bool { return s.Link == "sending" })
	if _, err := s.admin.ModifyCloudToDeviceConfig(t.Context(), &iotpb.ModifyCloudToDeviceConfigRequest{
		Name: registry + "/devices/device1", BinaryData: []byte(`{"version":7,"interval":"1ms"}`),
	}); err != nil {
		t.Fatal(err)
	}
	got := p.state("version 7", func(s *state) bool { return s.Config == 7 })
	if got.Interval != "300ms" {
		t.Errorf("the interval is %s", got.Interval)
	}
}

// kept lists what a spool holds that no agent has.
func (p *pi) kept() (ids []string) {
	p.t.Helper()
	machine, _ := os.ReadFile("/etc/machine-id")
	at, err := spool.Open(p.spool(), spool.Options{MachineID: strings.TrimSpace(string(machine))})
	if err != nil {
		p.t.Fatal(err)
	}
	defer at.Close()
	for from := uint64(0); ; {
		seq, _, err := at.Next(from)
		if errors.Is(err, device.ErrEmpty) {
			return ids
		}
		if err != nil {
			p.t.Fatal(err)
		}
		ids = append(ids, at.Stream()+"-"+strconv.FormatUint(seq, 10))
		from = seq + 1
	}
}

// B17: an agent that is told to stop in the middle of its backlog does so, and what it
// had not sent is sent by the next one.
func TestB17_StoppedWhileTheBacklogDrains(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.device("device1", "")
	settings := []string{"INTERVAL = 200ms", "ONE_WIRE = " + tree(t, 20)}
	p.configure(append(settings, "PORT = 1")...) // nobody is there
	stop := p.run()
	p.state("keeping", func(s *state) bool { return s.Spool.Records >= 80 })
	stop()
	kept := p.kept()
	if len(kept) < 80 {
		t.Fatalf("%d are kept", len(kept))
	}

	p.configure("INTERVAL = 1h", "SIMULATE = yes", "BACKLOG_RATE = 2", fmt.Sprintf("PORT = %d", s.port))
	child := p.process("run")
	p.state("sending its backlog", func(s *state) bool { return s.Sent >= 3 })
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("%v\n%s", err, &child.err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	left := p.kept()
	if len(left) == 0 {
		t.Fatal("nothing was left: it was not stopped on its way")
	}
	t.Logf("%d of %d were left", len(left), len(kept))

	p.configure("INTERVAL = 1h", "SIMULATE = yes", "BACKLOG_RATE = 2000", fmt.Sprintf("PORT = %d", s.port))
	p.run()
	s.waitFor("all", func(all []reading) bool {
		came := map[string]bool{}
		for _, r := range all {
			came[r.ID] = true
		}
		for _, id := range kept {
			if !came[id] {
				return false
			}
		}
		return true
	})
}

// B12: one spool, one agent; and one that was killed is not in the next one's way.
func TestB12_SecondAgentIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.device("device1", "SIMULATE = yes", "INTERVAL = 200ms")
	first := p.process("run")
	p.state("sending", func(s *state) bool { return s.Link == "sending" })
	second := p.process("run")
	if err := second.Wait(); err == nil || !strings.Contains(second.err.String(), "in use by another agent") {
		t.Errorf("the second: %v\n%s", err, &second.err)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // killed
	p.run()
	p.state("sending again", func(s *state) bool { return s.PID == os.Getpid() && s.Link == "sending" })
}

// D9: what is secret stands in no argument, no variable and no log, and nothing of the
// process is dumped.
func TestD9_TheKeyIsInItsFileAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.device("device1", "SIMULATE = yes", "INTERVAL = 200ms", "LOG_LEVEL = debug")
	child := p.process("run")
	p.state("sending", func(s *state) bool { return s.Link == "sending" && s.Sent > 0 })
	secret := bytes.Split(read(t, filepath.Join(p.dir, "ec_private.pem")), []byte("\n"))[1][:40]
	for _, name := range []string{"environ", "cmdline", "limits"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", child.Process.Pid, name))
		if err != nil && !errors.Is(err, os.ErrPermission) { // that others may not look is the best
			t.Fatal(err)
		}
		if bytes.Contains(text, secret) {
			t.Errorf("the key is in %s", name)
		}
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &child.err)
	}
	for _, text := range []string{child.err.String(), child.out.String()} {
		if strings.Contains(text, string(secret)) || strings.Contains(text, "eyJ") {
			t.Errorf("a key or a token was logged:\n%s", text)
		}
	}
	if !strings.Contains(child.err.String(), "starting") {
		t.Errorf("nothing was logged:\n%s", &child.err)
	}
	if text := read(t, filepath.Join(p.spool(), "cursor")); bytes.Contains(text, secret) {
		t.Error("the key is in the spool")
	}
}

func TestD9_NothingOfTheProcessIsDumped(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), asProbe+"=1")
	out, err := child.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(out)), "dumpable 0, core 0, umask 077"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
