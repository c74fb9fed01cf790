package registry_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/registry"
)

const crashProfile = "crash-profile"

// TestProvisioningChild is no test: it is the process that is killed.
func TestProvisioningChild(t *testing.T) {
	file := os.Getenv("REGISTRY_TEST_PROVISIONING")
	if file == "" {
		t.Skip("only run by another")
	}
	ctx := context.Background()
	s, err := registry.Open(ctx, "sqlite:"+file, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := s.Provisioning()
	if _, err := s.CreateRegistry(ctx, "child", &gateway.Registry{Key: crashKey}); err != nil && !errors.Is(err, gateway.ErrExists) {
		t.Fatal(err)
	}
	if _, err := p.PutProfile(ctx, "child", &provision.Profile{ID: crashProfile, Registry: crashKey}); err != nil && !errors.Is(err, gateway.ErrExists) {
		t.Fatal(err)
	}
	for worker := range 4 {
		go func() {
			for i := 0; ; i++ {
				b := newBoard(t, fmt.Sprintf("%d-%d-%d", os.Getpid(), worker, i))
				c, err := p.Settle(ctx, crashProfile, b.Unit, b.spki, b.insist)
				if err == nil {
					fmt.Println(b.Serial)
					err = p.Used(ctx, c.Number, b.credential(), time.Now())
				}
				if err == nil && i%2 == 0 {
					err = p.Reset(ctx, "child", crashProfile, b.Serial)
				}
				if err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
			}
		}()
	}
	select {}
}

// A kill −9 between a claim, its device, its credential and its entry in the audit log
// leaves all four or none: never a credential that no claim names.
func TestB70_Kill9(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	answered := map[string]bool{}
	for range 2 {
		child := exec.Command(os.Args[0], "-test.run=^TestProvisioningChild$")
		child.Env = append(os.Environ(), "REGISTRY_TEST_PROVISIONING="+file)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		last, lines := 20+rand.IntN(100), bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if answered[lines.Text()] = true; n == last {
				child.Process.Kill()
			}
		}
		child.Wait() // it was killed
		oneOrNone(t, file, answered)
	}
}

func oneOrNone(t *testing.T, file string, answered map[string]bool) {
	t.Helper()
	ctx := t.Context()
	s, err := registry.Open(ctx, "sqlite:"+file, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := s.Provisioning()
	keys, claims, reset := 0, 0, 0
	for page := (gateway.Page{Size: 500}); ; {
		list, next, err := s.Devices(ctx, crashKey, gateway.DeviceFilter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			name := d.Key.Device[len("d-"):]
			c, err := p.Claim(ctx, crashProfile, name)
			switch {
			case len(d.Credentials) == 0 && errors.Is(err, gateway.ErrNotFound):
				reset++
			case len(d.Credentials) != 1 || err != nil || c.Number != d.Number:
				t.Errorf("%d credentials, claim %+v, %v", len(d.Credentials), c, err)
			default:
				keys++
			}
			delete(answered, name)
		}
		if page.Token = next; next == "" {
			break
		}
	}
	for name := range answered {
		t.Errorf("%s was answered and is gone", name)
	}
	for page := (gateway.Page{Size: 500}); ; {
		list, next, err := p.Claims(ctx, crashProfile, "", page)
		if err != nil {
			t.Fatal(err)
		}
		claims += len(list)
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
	t.Logf("%d claims, %d that were reset", claims, reset)
	if claims != keys || entries["provision_claim"] != claims+reset || entries["create_device"] != claims+reset || entries["provision_reset"] != reset {
		t.Errorf("%d claims, %d credentials, %d reset; in the audit log %v", claims, keys, reset, entries)
	}
	if _, err := p.Settle(ctx, crashProfile, provision.Unit{Serial: "ANY-UNIT"}, [32]byte{}, func(k provision.Known) (*provision.Change, error) {
		if k.Profile.Devices != claims {
			t.Errorf("%d devices are counted of %d", k.Profile.Devices, claims)
		}
		return nil, errRefused
	}); !errors.Is(err, errRefused) {
		t.Error(err)
	}
}
