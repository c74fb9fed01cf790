package registry_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/registry"
)

// world is one store under the suite, and a registry of the test's own in it.
type world struct {
	*registry.Store
	open func(testing.TB) *registry.Store // another Store on the same data; SQLite: the same Store
	key  gateway.RegistryKey
}

var suite = []struct {
	name string
	run  func(*testing.T, *world)
}{
	{"Registries", registries},
	{"RegistryLimits", registryLimits},
	{"Devices", devices},
	{"Lookup", lookup},
	{"NamesAndNumbers", namesAndNumbers},
	{"Numbers", numbers},
	{"NumbersAtOnce", numbersAtOnce},
	{"DeviceLimits", deviceLimits},
	{"UpdateDevice", updateDevice},
	{"InUse", inUse},
	{"R5_Pages", pages},
	{"Filters", filters},
	{"R10_Audit", audit},
	{"R11_ConfigVersions", configVersions},
	{"R11_LostUpdate", lostUpdate},
	{"States", states},
	{"Note", note},
	{"Bindings", bindings},
	{"Changes", changes},
	{"Claims", claims},
	{"Commands", commands},
	{"B67_ManyWriters", manyWriters},
	{"Settle", settles},
	{"B70_NothingHalfDone", nothingHalfDone},
	{"B72_P4_OneGrantOfMany", oneGrantOfMany},
	{"P6_AMACLetsInOneUnit", aMACLetsInOneUnit},
	{"P6_DenyWins", denyWins},
	{"P11_OneKeyOneDevice", oneKeyOneDevice},
	{"P14_DeletedAndBlocked", deletedAndBlocked},
	{"P1_MaxDevices", maxDevices},
	{"Renewal", renewal},
	{"RenewalOfTheSameKey", renewalOfTheSameKey},
	{"Reset", resets},
	{"OperatorsMoves", operatorsMoves},
	{"Askers", askers},
	{"Profiles", profiles},
	{"Entries", entries},
	{"ClaimPages", claimPages},
	{"Searches", searches},
	{"SearchRefusals", searchRefusals},
	{"Connections", connections},
	{"Pulses", pulses},
}

// conform runs the suite; open opens another Store on the same data.
func conform(t *testing.T, open func(testing.TB) *registry.Store) {
	s := open(t)
	for _, test := range suite {
		t.Run(test.name, func(t *testing.T) { test.run(t, newWorld(t, s, open)) })
	}
}

func TestSQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.db")
	s := openAt(t, "sqlite:"+file)
	conform(t, func(testing.TB) *registry.Store { return s })
}

// openAt opens a store and runs it until the test ends.
func openAt(t testing.TB, address string) *registry.Store {
	t.Helper()
	s, err := registry.Open(t.Context(), address, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var worlds atomic.Int64

func newWorld(t testing.TB, s *registry.Store, open func(testing.TB) *registry.Store) *world {
	t.Helper()
	w := &world{Store: s, open: open, key: gateway.RegistryKey{Project: "p-1", Location: "us-central1", Registry: fmt.Sprintf("registry-%d", worlds.Add(1))}}
	if _, err := s.CreateRegistry(t.Context(), "tester", &gateway.Registry{Key: w.key, MQTT: true}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) device(name string) gateway.DeviceKey {
	return gateway.DeviceKey{RegistryKey: w.key, Device: name}
}

func (w *world) create(t testing.TB, name string) *gateway.Device {
	t.Helper()
	return w.createAs(t, &gateway.Device{Key: w.device(name)})
}

func (w *world) createAs(t testing.TB, d *gateway.Device) *gateway.Device {
	t.Helper()
	made, err := w.CreateDevice(t.Context(), "tester", d)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func names(list []*gateway.Device) string {
	var s []string
	for _, d := range list {
		s = append(s, d.Key.Device)
	}
	return strings.Join(s, " ")
}

// soon is how long a test waits for what must come.
const soon = time.Minute
