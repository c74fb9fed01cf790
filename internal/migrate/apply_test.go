package migrate

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/iterator"

	iot "cloud.google.com/go/iot/apiv1"

	"iotbridge/gateway"
	"iotbridge/gateway/devicemanager"
	"iotbridge/gateway/operators"
	"iotbridge/gateway/registry"
	"iotbridge/internal/site"
)

// manager is a Device Manager with one empty registry.
func manager(t *testing.T) (client *iot.DeviceManagerClient, parent string) {
	t.Helper()
	dir := t.TempDir()
	store, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(dir, "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	key := gateway.RegistryKey{Project: "demo", Location: "us-central1", Registry: "plant7"}
	if _, err := store.CreateRegistry(t.Context(), "test", &gateway.Registry{Key: key}); err != nil {
		t.Fatal(err)
	}
	token, list, err := site.Operator(dir)
	if err != nil {
		t.Fatal(err)
	}
	who, err := operators.Open(list)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer((&devicemanager.Server{Admin: store, Bus: store, Operators: who}).Handler())
	t.Cleanup(server.Close)
	if client, err = (&site.Site{API: server.URL, AdminToken: token}).OpenDeviceManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, key.String()
}

// registered is what the registry has.
func registered(t *testing.T, client *iot.DeviceManagerClient, parent string) map[string]*iotpb.Device {
	t.Helper()
	all := map[string]*iotpb.Device{}
	it := client.ListDevices(t.Context(), &iotpb.ListDevicesRequest{Parent: parent})
	for {
		d, err := it.Next()
		if err == iterator.Done {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[d.GetId()] = d
	}
}

func tally(steps []Step) map[Verdict]int {
	counts := map[Verdict]int{}
	for _, s := range steps {
		counts[s.Verdict]++
	}
	return counts
}

// cutOff cuts off when so many devices have been made.
type cutOff struct {
	Registrar
	mu   sync.Mutex
	left int
	cut  func()
}

func (c *cutOff) CreateDevice(ctx context.Context, r *iotpb.CreateDeviceRequest, opts ...gax.CallOption) (*iotpb.Device, error) {
	d, err := c.Registrar.CreateDevice(ctx, r, opts...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.cut()
	}
	return d, err
}

func TestWhatWasCutOffIsDoneTheNextTime(t *testing.T) {
	client, parent := manager(t)
	var devices []Device
	for i := range 200 {
		devices = append(devices, from("", fmt.Sprintf("device%d", i)))
	}
	devices[3].Metadata = map[string]string{"1": "no key of metadata begins so"}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps := Plan(devices, nil, time.Now())
	var done atomic.Int64
	Apply(ctx, &cutOff{Registrar: client, left: 20, cut: cancel}, parent, steps, &done)
	first := registered(t, client, parent)
	counts := tally(steps)
	if counts[Created] < 19 || counts[Create] == 0 || counts[Created] > len(first) {
		t.Fatalf("%v, and %d are there", counts, len(first))
	}
	for _, s := range steps {
		if d := first[s.GetId()]; s.Verdict == Created && (d == nil || s.Number != d.GetNumId()) {
			t.Errorf("%s: number %d, and %v is there", s.GetId(), s.Number, d)
		}
	}

	steps = Plan(devices, first, time.Now())
	if got := tally(steps)[Present]; got != len(first) {
		t.Errorf("%d are present, %d are there", got, len(first))
	}
	Apply(t.Context(), client, parent, steps, &done)
	// What was on its way when it was cut off may have come to be there after the list.
	if got := tally(steps); got[Failed] != 1 || got[Present] < len(first) || got[Present]+got[Created] != 199 {
		t.Errorf("%v, and %d were there", got, len(first))
	}
	if why := steps[3].Why; !strings.Contains(why, "metadata") {
		t.Errorf("refused for %q", why)
	}
	if got := len(registered(t, client, parent)); got != 199 {
		t.Errorf("%d are there", got)
	}
}

// What the plan cannot know: the numbers of other registries, and of deleted devices.
func TestNumbersThatAreTakenAreTold(t *testing.T) {
	client, parent := manager(t)
	const old = 2928540609735937
	device := from("", "device1")
	device.NumId = old
	apply := func(d Device) Step {
		t.Helper()
		steps := Plan([]Device{d}, nil, time.Now())
		Apply(t.Context(), client, parent, steps, new(atomic.Int64))
		return steps[0]
	}
	if s := apply(device); s.Verdict != Created || s.Number != old || !s.KeepsNumber() {
		t.Fatalf("%s, %q, number %d", s.Verdict, s.Why, s.Number)
	}
	if s := apply(device); s.Verdict != Present || s.Number != old {
		t.Errorf("again, with a plan from before: %s, %q, number %d", s.Verdict, s.Why, s.Number)
	}
	if err := client.DeleteDevice(t.Context(), &iotpb.DeleteDeviceRequest{Name: parent + "/devices/device1"}); err != nil {
		t.Fatal(err)
	}
	if s := apply(device); s.Verdict != Collides || !strings.Contains(s.Why, "2928540609735937") {
		t.Errorf("a deleted device's: %s, %q", s.Verdict, s.Why)
	}
	device.Renumber = true
	if s := apply(device); s.Verdict != Created || s.Number == old || s.Number == 0 || s.KeepsNumber() {
		t.Errorf("with a new one: %s, %q, number %d", s.Verdict, s.Why, s.Number)
	}
	if device.NumId != old {
		t.Error("what it was is forgotten")
	}
}
