package registry_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
	"iotbridge/internal/testpostgres"
)

// What pg_dump has saved while a gateway works, and pg_restore has put into an empty
// database, is the registry: numbers, keys, blocks.
func TestB68_DumpAndRestore(t *testing.T) {
	ctx := t.Context()
	address, empty := testpostgres.Database(t), testpostgres.Database(t)
	s := openAt(t, address)
	w := newWorld(t, s, nil)
	w.createAs(t, &gateway.Device{Key: w.device("blocked"), Blocked: true})
	w.create(t, "device1")
	want, err := s.Device(ctx, w.device("device1"))
	if err != nil {
		t.Fatal(err)
	}

	dump := filepath.Join(t.TempDir(), "registry.dump")
	postgresTool(t, "pg_dump", "--format", "custom", "--file", dump, address)
	postgresTool(t, "pg_restore", "--exit-on-error", "--no-owner", "--dbname", empty, dump)

	restored := openAt(t, empty)
	if got, err := restored.Device(ctx, want.Key); err != nil {
		t.Error(err)
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the device (-saved +restored):\n%s", diff)
	}
	if d, err := restored.Device(ctx, w.device("blocked")); err != nil || !d.Blocked {
		t.Errorf("the blocked device is %+v, %v", d, err)
	}
	if d, err := restored.CreateDevice(ctx, "tester", &gateway.Device{Key: w.device("after")}); err != nil {
		t.Errorf("after the restore: %+v, %v", d, err)
	}
}

// postgresTool runs a program of PostgreSQL, where Debian has it or in the path.
func postgresTool(t *testing.T, name string, args ...string) {
	t.Helper()
	program := name
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		program = found[len(found)-1]
	} else if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("IOTBRIDGE_TOOLS") == "required" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED: %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
