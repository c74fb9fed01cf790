package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
)

func registries(t *testing.T, w *world) {
	ctx := t.Context()
	key := w.key
	key.Registry += "-full"
	want := &gateway.Registry{
		Key: key, MQTT: true, HTTP: true, LogLevel: gateway.LogInfo, StateTopic: "projects/p-1/topics/state",
		Routes:      []gateway.Route{{SubFolder: "temperature", Topic: "projects/p-1/topics/temperature"}, {Topic: "projects/p-1/topics/sensordata"}},
		Authorities: []string{"first", "second"},
	}
	made, err := w.CreateRegistry(ctx, "tester", want)
	if err != nil {
		t.Fatal(err)
	}
	want.Updated = made.Updated
	if diff := cmp.Diff(want, made); diff != "" || made.Updated.IsZero() {
		t.Errorf("made, -want +got:\n%s", diff)
	}
	if _, err := w.CreateRegistry(ctx, "tester", want); !errors.Is(err, gateway.ErrExists) {
		t.Errorf("made twice: %v, want ErrExists", err)
	}
	want, err = w.UpdateRegistry(ctx, "tester", key, func(r *gateway.Registry) error {
		r.HTTP, r.Routes, r.Key.Registry = false, r.Routes[1:], "other"
		return nil
	})
	if err != nil || want.HTTP || len(want.Routes) != 1 || want.Key != key || want.Updated.Before(made.Updated) {
		t.Errorf("updated to %+v, %v", want, err)
	}
	no := errors.New("no")
	if _, err := w.UpdateRegistry(ctx, "tester", key, func(r *gateway.Registry) error { r.HTTP = true; return no }); !errors.Is(err, no) {
		t.Errorf("an update that is refused: %v", err)
	}
	got, err := w.Registry(ctx, key)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if err := w.DeleteRegistry(ctx, "tester", key); err != nil {
		t.Fatal(err)
	}
	_, updating := w.UpdateRegistry(ctx, "tester", key, func(*gateway.Registry) error { return nil })
	_, reading := w.Registry(ctx, key)
	_, _, listing := w.Devices(ctx, key, gateway.DeviceFilter{}, gateway.Page{})
	for what, err := range map[string]error{"update": updating, "read": reading, "list": listing, "delete": w.DeleteRegistry(ctx, "tester", key)} {
		if !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s of a registry that is gone: %v, want ErrNotFound", what, err)
		}
	}
}

func registryLimits(t *testing.T, w *world) {
	topic := "projects/p-1/topics/temperature"
	base := func(change func(*gateway.Registry)) *gateway.Registry {
		r := &gateway.Registry{Key: w.key}
		r.Key.Registry += "-limits"
		change(r)
		return r
	}
	routes := func(n int) (list []gateway.Route) {
		for range n {
			list = append(list, gateway.Route{SubFolder: "a/b", Topic: topic})
		}
		return list
	}
	for _, c := range []struct {
		name string
		ok   bool
		r    *gateway.Registry
	}{
		{"10 routes", true, base(func(r *gateway.Registry) { r.Routes = routes(10) })},
		{"11 routes", false, base(func(r *gateway.Registry) { r.Routes = routes(11) })},
		{"10 authorities", true, base(func(r *gateway.Registry) { r.Authorities = strings.Split(strings.Repeat("x", 10), "") })},
		{"11 authorities", false, base(func(r *gateway.Registry) { r.Authorities = strings.Split(strings.Repeat("x", 11), "") })},
		{"subfolder of 256", true, base(func(r *gateway.Registry) {
			r.Routes = []gateway.Route{{SubFolder: strings.Repeat("s", 256), Topic: topic}}
		})},
		{"subfolder of 257", false, base(func(r *gateway.Registry) {
			r.Routes = []gateway.Route{{SubFolder: strings.Repeat("s", 257), Topic: topic}}
		})},
		{"subfolder with slash first", false, base(func(r *gateway.Registry) { r.Routes = []gateway.Route{{SubFolder: "/s", Topic: topic}} })},
		{"short topic", false, base(func(r *gateway.Registry) { r.StateTopic = "temperature" })},
		{"topic with a line break", false, base(func(r *gateway.Registry) { r.StateTopic = topic + "\n" })},
		{"log level 35", false, base(func(r *gateway.Registry) { r.LogLevel = 35 })},
		{"name of goog", false, base(func(r *gateway.Registry) { r.Key.Registry = "google" })},
		{"name with a plus", false, base(func(r *gateway.Registry) { r.Key.Registry = "a+b+c" })},
		{"name with a line break", false, base(func(r *gateway.Registry) { r.Key.Registry = "abc\n" })},
		{"no project", false, base(func(r *gateway.Registry) { r.Key.Project = "" })},
		{"domain's project", true, base(func(r *gateway.Registry) { r.Key.Project = "example.com:iot" })},
		{"location with a slash", false, base(func(r *gateway.Registry) { r.Key.Location = "us/central" })},
	} {
		made, err := w.CreateRegistry(t.Context(), "tester", c.r)
		if c.ok {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if err := w.DeleteRegistry(t.Context(), "tester", made.Key); err != nil {
				t.Error(err)
			}
			continue
		}
		var detail *gateway.InvalidError
		if !errors.Is(err, gateway.ErrInvalid) || !errors.As(err, &detail) || detail.Field == "" || detail.Reason == "" {
			t.Errorf("%s: %v, want an InvalidError", c.name, err)
		}
	}
}

func inUse(t *testing.T, w *world) {
	w.create(t, "device1")
	if err := w.DeleteRegistry(t.Context(), "tester", w.key); !errors.Is(err, gateway.ErrInUse) || !strings.Contains(fmt.Sprint(err), w.key.Registry) {
		t.Errorf("%v, want ErrInUse with the registry's name", err)
	}
	if err := w.DeleteDevice(t.Context(), "tester", w.device("device1")); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteRegistry(t.Context(), "tester", w.key); err != nil {
		t.Error(err)
	}
}
