package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
	"iotbridge/schema"
)

func devices(t *testing.T, w *world) {
	ctx := t.Context()
	want := &gateway.Device{
		Key: w.device("device1"), Blocked: true, Metadata: map[string]string{"room": "cellar\x00\n☃", "empty": ""}, LogLevel: gateway.LogDebug,
		IsGateway: true, AuthMethod: gateway.AssociationOnly,
		Credentials: []gateway.Credential{
			{Format: gateway.ES256X509, PEM: "c", Expires: time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)},
			{Format: gateway.RSAPEM, PEM: "a"},
			{Format: gateway.ES256PEM, PEM: "b"},
		},
	}
	made, err := w.CreateDevice(ctx, "tester", want)
	if err != nil {
		t.Fatal(err)
	}
	want.Number, want.Created, want.Updated = made.Number, made.Created, made.Updated
	want.Config = gateway.Config{Version: 1, Updated: made.Created}
	if diff := cmp.Diff(want, made); diff != "" || made.Created.IsZero() {
		t.Errorf("made, -want +got:\n%s", diff)
	}
	if !schema.ValidNumID(made.Num()) || made.Number < 25e14 || made.Number > 33e14 {
		t.Errorf("number %d: want 16 digits between 2.5 and 3.3 · 10^15", made.Number)
	}
	got, err := w.Device(ctx, w.device("device1"))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if _, err := w.CreateDevice(ctx, "tester", want); !errors.Is(err, gateway.ErrExists) {
		t.Errorf("made twice: %v, want ErrExists", err)
	}
	bare, err := w.Device(ctx, w.create(t, "bare").Key)
	if err != nil || bare.Credentials != nil || bare.State != nil || bare.LastErrorStatus != nil || !bare.LastEvent.IsZero() {
		t.Errorf("%+v, %v: want nothing set", bare, err)
	}
	if err := w.DeleteDevice(ctx, "tester", w.device(made.Num())); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Device(ctx, w.device("device1")); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("deleted: %v, want ErrNotFound", err)
	}
	want.Number = 0
	again := w.createAs(t, want)
	if again.Number == made.Number {
		t.Error("a new device has the number of an old one")
	}
	nowhere := w.device("device2")
	nowhere.Registry = "nowhere"
	if _, err := w.CreateDevice(ctx, "tester", &gateway.Device{Key: nowhere}); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("in no registry: %v, want ErrNotFound", err)
	}
}

func namesAndNumbers(t *testing.T, w *world) {
	d := w.create(t, "device1")
	other := newWorld(t, w.Store, w.open)
	for _, id := range []string{"device1", d.Num()} {
		if got, err := w.Device(t.Context(), w.device(id)); err != nil || got.Number != d.Number || got.Key.Device != "device1" {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
		if _, err := other.Device(t.Context(), other.device(id)); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("R2: %s through another registry: %v, want ErrNotFound", id, err)
		}
	}
	for _, name := range []string{"", "\xff\xff\xff", "a\x00b", "nowhere"} {
		key := d.Key
		key.Registry = name
		_, updating := w.UpdateDevice(t.Context(), "tester", key, func(*gateway.Device) error { return nil })
		_, reading := w.Device(t.Context(), key)
		_, registry := w.Registry(t.Context(), key.RegistryKey)
		for _, err := range []error{updating, reading, registry} {
			if !errors.Is(err, gateway.ErrNotFound) {
				t.Errorf("in registry %q: %v, want ErrNotFound", name, err)
			}
		}
	}
	for _, id := range []string{"", "Device1", "device1\n", "1", "0" + d.Num()[1:], d.Num() + "0", "9999999999999999", "device1' OR '1'='1", "dev%", strings.Repeat("d", 300), "\xff\xff\xff", "a\x00b"} {
		if _, err := w.Device(t.Context(), w.device(id)); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", id, err)
		}
	}
}

func pairs(n, key, value int) map[string]string {
	m := map[string]string{}
	for i := range n {
		k := fmt.Sprintf("k%d", i)
		m[k+strings.Repeat("x", key-len(k))] = strings.Repeat("v", value)
	}
	return m
}

func deviceLimits(t *testing.T, w *world) {
	metadata := func(m map[string]string) gateway.Device { return gateway.Device{Metadata: m} }
	credentials := func(n int) gateway.Device {
		var d gateway.Device
		for range n {
			d.Credentials = append(d.Credentials, gateway.Credential{Format: gateway.ES256PEM, PEM: "x"})
		}
		return d
	}
	const kb = 1 << 10
	for _, c := range []struct {
		name string
		ok   bool
		d    gateway.Device
	}{
		{"R8 500 pairs", true, metadata(pairs(500, 4, 4))},
		{"R8 501 pairs", false, metadata(pairs(501, 4, 4))},
		{"R8 key of 128", true, metadata(pairs(1, 128, 1))},
		{"R8 key of 129", false, metadata(pairs(1, 129, 1))},
		{"R8 value of 32 KB", true, metadata(pairs(1, 2, 32*kb))},
		{"R8 value of 32 KB + 1", false, metadata(pairs(1, 2, 32*kb+1))},
		{"R8 256 KB", true, metadata(pairs(16, 8, 16*kb-8))},
		{"R8 256 KB + 1", false, metadata(func() map[string]string { m := pairs(16, 8, 16*kb-8); m["k0xxxxxx"] += "v"; return m }())},
		{"no UTF-8", false, metadata(map[string]string{"key": "\xff"})},
		{"key with a space", false, metadata(map[string]string{"a key": "v"})},
		{"empty key", false, metadata(map[string]string{"": "v"})},
		{"3 credentials", true, credentials(3)},
		{"4 credentials", false, credentials(4)},
		{"unknown format", false, gateway.Device{Credentials: []gateway.Credential{{Format: 5, PEM: "x"}}}},
		{"empty key text", false, gateway.Device{Credentials: []gateway.Credential{{Format: gateway.RSAPEM}}}},
		{"log level 1", false, gateway.Device{LogLevel: 1}},
		{"method without gateway", false, gateway.Device{AuthMethod: gateway.DeviceToken}},
		{"method 4", false, gateway.Device{IsGateway: true, AuthMethod: 4}},
		{"config of 64 KB", true, gateway.Device{Config: gateway.Config{Data: make([]byte, 64*kb)}}},
		{"config of 64 KB + 1", false, gateway.Device{Config: gateway.Config{Data: make([]byte, 64*kb+1)}}},
	} {
		c.d.Key = w.device("limits")
		_, err := w.CreateDevice(t.Context(), "tester", &c.d)
		if c.ok {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if err := w.DeleteDevice(t.Context(), "tester", c.d.Key); err != nil {
				t.Error(err)
			}
		} else if !errors.Is(err, gateway.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", c.name, err)
		}
	}
	for _, name := range []string{"", "ab", "1234567890123456", "goog1", "a+b", "a/b", "device\n", strings.Repeat("d", 256)} {
		if _, err := w.CreateDevice(t.Context(), "tester", &gateway.Device{Key: w.device(name)}); !errors.Is(err, gateway.ErrInvalid) {
			t.Errorf("name %q: %v, want ErrInvalid", name, err)
		}
	}
	d := w.create(t, "sizes")
	for n, ok := range map[int]bool{64 * kb: true, 64*kb + 1: false} {
		_, err := w.SetConfig(t.Context(), "tester", d.Key, 0, make([]byte, n))
		if serr := w.SetState(t.Context(), d.Number, make([]byte, n), time.Now()); (err == nil) != ok || (serr == nil) != ok || !ok && (!errors.Is(err, gateway.ErrInvalid) || !errors.Is(serr, gateway.ErrInvalid)) {
			t.Errorf("%d bytes: config %v, state %v", n, err, serr)
		}
	}
}

func updateDevice(t *testing.T, w *world) {
	ctx := t.Context()
	d := w.create(t, "device1")
	other := w.create(t, "other")
	got, err := w.UpdateDevice(ctx, "tester", w.device(d.Num()), func(d *gateway.Device) error {
		d.Blocked, d.Metadata, d.LogLevel = true, map[string]string{"a": "b"}, gateway.LogError
		d.Credentials = []gateway.Credential{{Format: gateway.RSAPEM, PEM: "x"}}
		d.Number, d.Key, d.LastEvent, d.Config.Version = other.Number, other.Key, time.Now(), 99 // R6: not theirs to set
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := *d
	want.Blocked, want.Metadata, want.LogLevel, want.Updated = true, map[string]string{"a": "b"}, gateway.LogError, got.Updated
	want.Credentials = []gateway.Credential{{Format: gateway.RSAPEM, PEM: "x"}}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	no := errors.New("no")
	if _, err := w.UpdateDevice(ctx, "tester", d.Key, func(d *gateway.Device) error { d.Blocked = false; return no }); !errors.Is(err, no) {
		t.Errorf("an update that is refused: %v", err)
	}
	for what, change := range map[string]func(*gateway.Device){
		"four keys": func(d *gateway.Device) {
			d.Credentials = make([]gateway.Credential, 4)
		},
		"becomes a gateway": func(d *gateway.Device) { d.IsGateway = true },
	} {
		if _, err := w.UpdateDevice(ctx, "tester", d.Key, func(d *gateway.Device) error { change(d); return nil }); !errors.Is(err, gateway.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
	if again, err := w.Device(ctx, d.Key); err != nil || !cmp.Equal(got, again) {
		t.Errorf("refused updates left\n%s", cmp.Diff(got, again))
	}
	if same, err := w.Device(ctx, other.Key); err != nil || !cmp.Equal(other, same) {
		t.Errorf("another device changed\n%s", cmp.Diff(other, same))
	}
	if _, err := w.UpdateDevice(ctx, "tester", w.device("nobody"), func(*gateway.Device) error { return nil }); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("nobody: %v, want ErrNotFound", err)
	}
}
