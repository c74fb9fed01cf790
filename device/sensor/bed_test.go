package sensor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"iotbridge/device"
)

func TestMain(m *testing.M) {
	patience, grace = time.Hour, time.Hour // no test's outcome is the machine's speed
	goleak.VerifyTestMain(m)
}

// hurry sets one of them for a test.
func hurry(t *testing.T, limit *time.Duration, to time.Duration) {
	before := *limit
	*limit = to
	t.Cleanup(func() { *limit = before })
}

var _ device.ProbeError = &Error{} // by which the agent counts

const (
	probeA = "28-0316a2795b12"
	probeB = "28-000005e2fdc3"
)

// slaveTree is laid out as sysfs is: the slaves are links.
type slaveTree struct {
	testing.TB
	root, real string
}

func newTree(t testing.TB) slaveTree {
	dir := t.TempDir()
	tree := slaveTree{t, filepath.Join(dir, "bus", "w1", "devices"), filepath.Join(dir, "devices", "w1_bus_master1")}
	for _, d := range []string{tree.root, tree.real} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// write makes the probe when it is not there.
func (t slaveTree) write(probe, file, text string) {
	t.Helper()
	if err := os.MkdirAll(t.dir(probe), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(t.dir(probe), file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.root, probe)
	if _, err := os.Lstat(link); err != nil {
		if err := os.Symlink(filepath.Join("..", "..", "..", "devices", "w1_bus_master1", probe), link); err != nil {
			t.Fatal(err)
		}
	}
}

func (t slaveTree) dir(probe string) string { return filepath.Join(t.real, probe) }

// unplug does what the kernel does when a probe is gone.
func (t slaveTree) unplug(probe string) {
	for _, path := range []string{filepath.Join(t.root, probe), t.dir(probe)} {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}
}

// slaveText is w1_slave at so many thousandths of a degree.
func slaveText(milli int) string {
	return fmt.Sprintf("72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=%d\n", milli)
}

const garbled = "72 01 4b 46 7f ff 0e 10 13 : crc=57 NO\n72 01 4b 46 7f ff 0e 10 57 t=23125\n"

// script answers each read of a file with the next of its texts, and then with the
// last one; files that it does not name are read.
type script struct {
	mu    sync.Mutex
	texts map[string][]string // by "probe/file"
	reads map[string]int
}

func newScript(texts map[string][]string) *script {
	return &script{texts: texts, reads: map[string]int{}}
}

func (s *script) read(path string, buf []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
	texts, ok := s.texts[name]
	if !ok {
		return readAttribute(path, buf)
	}
	n := s.reads[name]
	s.reads[name]++
	return copy(buf, texts[min(n, len(texts)-1)]), nil
}

// values are the samples as "probe value", with a "?" for a suspect one.
func values(samples []device.Sample) []string {
	var out []string
	for _, s := range samples {
		mark := ""
		if s.Suspect {
			mark = "?"
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %g%s", s.Probe, s.Temperature, mark)))
	}
	return out
}

// classes are the faults as "probe class".
func classes(t testing.TB, err error) []string {
	t.Helper()
	var faults Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatalf("%T is not Faults: %v", err, err)
	}
	var out []string
	for _, f := range faults {
		out = append(out, strings.TrimSpace(f.Probe+" "+string(f.Class)))
	}
	return out
}

func expect(t testing.TB, samples []device.Sample, err error, wantValues, wantClasses []string) {
	t.Helper()
	if diff := cmp.Diff(wantValues, values(samples)); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantClasses, classes(t, err)); diff != "" {
		t.Errorf("faults (-want +got), %v:\n%s", err, diff)
	}
}
