package registry_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/registry"
)

var crashKey = gateway.RegistryKey{Project: "p-1", Location: "us-central1", Registry: "crash"}

// TestChild is no test: it is the process that is killed, or whose disk is full.
func TestChild(t *testing.T) {
	file := os.Getenv("REGISTRY_TEST_FILE")
	if file == "" {
		t.Skip("only run by others")
	}
	s, err := registry.Open(t.Context(), "sqlite:"+file, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateRegistry(t.Context(), "child", &gateway.Registry{Key: crashKey}); err != nil && !errors.Is(err, gateway.ErrExists) {
		t.Fatal(err)
	}
	if os.Getenv("REGISTRY_TEST_FULL") != "" {
		fullDisk(t, s, file)
		return
	}
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				if err := oneDevice(s, fmt.Sprintf("d-%d-%d-%d", os.Getpid(), worker, i)); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
			}
		}()
	}
	select {}
}

// oneDevice makes a device, a config and blocks it, and says each when it is answered.
func oneDevice(s *registry.Store, name string) error {
	ctx := context.Background()
	key := gateway.DeviceKey{RegistryKey: crashKey, Device: name}
	if _, err := s.CreateDevice(ctx, "child", &gateway.Device{Key: key}); err != nil {
		return err
	}
	fmt.Println("created", name)
	if _, err := s.SetConfig(ctx, "child", key, 1, []byte(strings.Repeat("x", 5000))); err != nil {
		return err
	}
	fmt.Println("config", name)
	if _, err := s.UpdateDevice(ctx, "child", key, func(d *gateway.Device) error { d.Blocked = true; return nil }); err != nil {
		return err
	}
	fmt.Println("blocked", name)
	return nil
}

// A kill −9 at any moment loses nothing that was answered, and leaves nothing half done.
// IOTBRIDGE_KILLS says how often.
func TestB65_Kill9(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("IOTBRIDGE_KILLS")); err == nil {
		kills = n
	}
	answered := map[string][]string{} // what was said of each device
	for range kills {
		child := exec.Command(os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), "REGISTRY_TEST_FILE="+file)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		last := 20 + rand.IntN(200)
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			what, name, _ := strings.Cut(lines.Text(), " ")
			if n == last {
				child.Process.Kill() // what comes after is what it said before it died
			}
			switch what {
			case "created", "config", "blocked":
				answered[name] = append(answered[name], what)
			default:
				t.Fatal(lines.Text())
			}
		}
		child.Wait() // it was killed
		checkCrash(t, file, answered)
	}
	t.Logf("%d devices after %d kills", len(answered), kills)
}

func checkCrash(t *testing.T, file string, answered map[string][]string) {
	t.Helper()
	ctx := t.Context()
	s, err := registry.Open(ctx, "sqlite:"+file, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, said := range answered {
		d, err := s.Device(ctx, gateway.DeviceKey{RegistryKey: crashKey, Device: name})
		if err != nil {
			t.Errorf("%s was answered: %v", name, err)
			continue
		}
		if len(said) > 1 && (d.Config.Version != 2 || len(d.Config.Data) != 5000) || len(said) > 2 && !d.Blocked {
			t.Errorf("%s: answered %v, is %+v", name, said, d)
		}
	}
	// Each change has its entry in the audit log, and each entry its change.
	var devices, versions, blocked int
	for page := (gateway.Page{Size: 500}); ; {
		list, next, err := s.Devices(ctx, crashKey, gateway.DeviceFilter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			devices++
			versions += int(d.Config.Version) - 1
			if d.Blocked {
				blocked++
			}
		}
		if page.Token = next; next == "" {
			break
		}
	}
	entries := map[string]int{}
	for page := (gateway.Page{Size: 500}); ; {
		list, next, err := s.Audit(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			entries[e.Action]++
		}
		if page.Token = next; next == "" {
			break
		}
	}
	if entries["create_device"] != devices || entries["set_config"] != versions || entries["block_device"] != blocked {
		t.Errorf("%d devices, %d configs, %d blocked; in the audit log %v", devices, versions, blocked, entries)
	}
}

// On a full disk a change is refused and has not happened; with room it goes on.
func TestB65_DiskFull(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	child := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	child.Env = append(os.Environ(), "REGISTRY_TEST_FILE="+file, "REGISTRY_TEST_FULL=1")
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestChild") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func fullDisk(t *testing.T, s *registry.Store, file string) {
	ctx := t.Context()
	signal.Ignore(syscall.SIGXFSZ) // so that a write beyond the limit fails as on a full disk
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = 300_000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	device := func(i int) gateway.DeviceKey {
		return gateway.DeviceKey{RegistryKey: crashKey, Device: fmt.Sprintf("device%d", i)}
	}
	made := 0
	var full error
	for ; full == nil && made < 1000; made++ {
		_, full = s.CreateDevice(ctx, "child", &gateway.Device{Key: device(made), Metadata: pairs(1, 8, 8000)})
	}
	made--
	if full == nil || !strings.Contains(full.Error(), "make room on its disk") || !strings.Contains(full.Error(), file) {
		t.Fatalf("with a full disk, after %d devices: %v", made, full)
	}
	for i := range made {
		if _, err := s.Device(ctx, device(i)); err != nil {
			t.Errorf("device %d was answered: %v", i, err)
		}
	}
	if _, err := s.Device(ctx, device(made)); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("the device that was refused: %v, want ErrNotFound", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			if _, err := s.CreateDevice(ctx, "child", &gateway.Device{Key: device(made + i)}); err != nil {
				t.Errorf("with room again: %v", err)
			}
		})
	}
	writers.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	again, err := registry.Open(ctx, "sqlite:"+file, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
