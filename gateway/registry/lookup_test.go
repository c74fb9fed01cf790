package registry_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
)

// lookup finds what admission needs, as it was committed last.
func lookup(t *testing.T, w *world) {
	ctx := t.Context()
	made := w.createAs(t, &gateway.Device{
		Key: w.device("device1"), Credentials: []gateway.Credential{{Format: gateway.ES256PEM, PEM: "a", Expires: time.UnixMicro(1_900_000_000_000_001).UTC()}},
		Metadata: map[string]string{"k": "v"}, LogLevel: gateway.LogDebug, IsGateway: true, AuthMethod: gateway.DeviceToken,
	})
	registry, err := w.UpdateRegistry(ctx, "tester", w.key, func(r *gateway.Registry) error {
		r.Routes = []gateway.Route{{SubFolder: "temperature", Topic: "projects/p-1/topics/temperature"}, {Topic: "projects/p-1/topics/sensordata"}}
		r.StateTopic, r.HTTP, r.LogLevel = "projects/p-1/topics/state", true, gateway.LogInfo
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &gateway.Device{
		Key: made.Key, Number: made.Number, Credentials: made.Credentials, LogLevel: made.LogLevel, IsGateway: true, AuthMethod: made.AuthMethod,
	}
	find := func(id string) {
		t.Helper()
		r, d, err := w.open(t).Lookup(ctx, w.device(id))
		if err != nil || !cmp.Equal(r, registry) || !cmp.Equal(d, want) {
			t.Errorf("%s: %v %s %s", id, err, cmp.Diff(registry, r), cmp.Diff(want, d))
		}
	}
	find("device1")
	find(made.Num())

	if _, err := w.UpdateDevice(ctx, "tester", made.Key, func(d *gateway.Device) error {
		d.Blocked, d.Credentials = true, nil
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want.Blocked, want.Credentials = true, nil
	find("device1")

	for _, id := range []string{"device2", "2577321808646966", "Device1", "7"} {
		if r, d, err := w.Lookup(ctx, w.device(id)); !errors.Is(err, gateway.ErrNotFound) || d != nil || (r == nil) != (id == "7") {
			t.Errorf("%s: %v %v %v, want the registry and ErrNotFound", id, r, d, err)
		}
	}
	elsewhere := newWorld(t, w.Store, w.open)
	for _, id := range []string{"device1", made.Num()} {
		if r, d, err := w.Lookup(ctx, elsewhere.device(id)); !errors.Is(err, gateway.ErrNotFound) || d != nil || r == nil || r.Key != elsewhere.key {
			t.Errorf("%s in another registry: %v %v %v", id, r, d, err)
		}
	}
	nowhere := gateway.DeviceKey{RegistryKey: w.key, Device: "device1"}
	nowhere.Registry = "nothing"
	if r, d, err := w.Lookup(ctx, nowhere); !errors.Is(err, gateway.ErrNotFound) || d != nil || r != nil {
		t.Errorf("no such registry: %v %v %v", r, d, err)
	}
}
