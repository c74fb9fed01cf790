package gateway_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
	"iotbridge/internal/watched"
	"iotbridge/schema"
)

// session is a device of the bed that was admitted.
func (b *bed) session(t *testing.T) *gateway.Admission {
	t.Helper()
	key := newKey()
	b.store.add(seed, "device1", key.Credential)
	a, err := b.admit(seed, "device1", key.token(seed.Project))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// telemetry returns what done was called with.
func (b *bed) telemetry(a *gateway.Admission, subFolder string, data []byte) error {
	answer := make(chan error, 2)
	b.Telemetry(a, subFolder, data, func(err error) { answer <- err })
	return <-answer
}

func TestM17_TheAttributesAreTheGatewaysAlone(t *testing.T) {
	b := newBed()
	a := b.session(t)
	proxied := *a
	proxied.Via = &gateway.Device{Key: gateway.DeviceKey{RegistryKey: seed, Device: "gateway1"}, Number: 7}
	trusted := []gateway.Attribute{
		{Key: "deviceId", Value: "device1"},
		{Key: "deviceNumId", Value: "2500000000000001"},
		{Key: "deviceRegistryId", Value: "RaspberryPiDevices"},
		{Key: "deviceRegistryLocation", Value: "us-central1"},
		{Key: "projectId", Value: "project-1"},
		{Key: "subFolder", Value: ""},
	}
	body := `{"deviceId":"victim","attributes":{"deviceId":"victim"}}`
	for _, c := range []struct {
		name      string
		admission *gateway.Admission
		subFolder string
		want      sent
	}{
		{"no subfolder", a, "", sent{"sensordata", trusted, body}},
		{"a subfolder", a, "deviceId", sent{"sensordata", with(trusted, "subFolder", "deviceId"), body}},
		{"a route", a, "temperature", sent{"temperature", with(trusted, "subFolder", "temperature"), body}},
		{"through a gateway", &proxied, "", sent{"sensordata", append(trusted[:6:6], gateway.Attribute{Key: "gatewayId", Value: "gateway1"}), body}},
	} {
		b.topics.sent = nil
		if err := b.telemetry(c.admission, c.subFolder, []byte(body)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff([]sent{c.want}, b.topics.sent, cmp.AllowUnexported(sent{})); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func with(attributes []gateway.Attribute, key, value string) (changed []gateway.Attribute) {
	for _, a := range attributes {
		if a.Key == key {
			a.Value = value
		}
		changed = append(changed, a)
	}
	return changed
}

func TestM18_SubfoldersOutsideTheGrammar(t *testing.T) {
	b := newBed()
	a := b.session(t)
	for _, folder := range []string{"/", "//x", "a/", "/a", "a//b", "a b", "+", "#", "ä", "a\x00", "\u202ex", strings.Repeat("x", 257)} {
		if err := b.telemetry(a, folder, nil); !errors.Is(err, gateway.ErrSubFolder) {
			t.Errorf("%q: %v", folder, err)
		}
	}
	if len(b.topics.sent) > 0 {
		t.Errorf("published: %v", b.topics.sent)
	}
	for _, folder := range []string{"..", "a/b", "%2f", "deviceId", "~", strings.Repeat("x", 256)} {
		if err := b.telemetry(a, folder, nil); err != nil {
			t.Errorf("%q: %v", folder, err)
		}
	}
}

func TestRoutesAreTriedInOrder(t *testing.T) {
	b := newBed()
	a := b.session(t)
	for folder, want := range map[string]string{"temperature": "temperature", "": "sensordata", "humidity": "sensordata", "temperature/a": "sensordata", "late": "sensordata"} {
		b.topics.sent = nil
		if err := b.telemetry(a, folder, nil); err != nil || b.topics.sent[0].topic != want {
			t.Errorf("%q: %v to %v, want %s", folder, err, b.topics.sent, want)
		}
	}
	b.store.registries[seed].Routes = []gateway.Route{{SubFolder: "temperature", Topic: "temperature2"}}
	if err := b.Still(t.Context(), a); err != nil { // as a session is asked for when its registry changes
		t.Fatal(err)
	}
	b.topics.sent = nil
	if err := b.telemetry(a, "temperature", nil); err != nil || b.topics.sent[0].topic != "temperature2" {
		t.Errorf("routes do not change under a session: %v, %v", err, b.topics.sent)
	}
	if err := b.telemetry(a, "humidity", nil); !errors.Is(err, gateway.ErrNoTopic) {
		t.Errorf("no route: %v", err)
	}
	b.run(t)
	b.stop()
	if s := b.store.signs[a.Device.Number]; s.ErrorStatus == nil || s.ErrorStatus.Code != 9 || s.Error.IsZero() {
		t.Errorf("the error is not the device's last: %+v", s)
	}
}

func TestB35_PayloadsAtTheLimit(t *testing.T) {
	b := newBed()
	a := b.session(t)
	for size, want := range map[int]error{0: nil, 1: nil, 262_143: nil, 262_144: nil, 262_145: gateway.ErrTooLarge} {
		if err := b.telemetry(a, "", make([]byte, size)); !errors.Is(err, want) {
			t.Errorf("telemetry of %d bytes: %v", size, err)
		}
	}
	for size, want := range map[int]error{0: nil, 65_535: nil, 65_536: nil, 65_537: gateway.ErrTooLarge} {
		if err := b.SetState(t.Context(), a, make([]byte, size)); !errors.Is(err, want) {
			t.Errorf("state of %d bytes: %v", size, err)
		}
	}
}

func TestStateIsKeptThenPublished(t *testing.T) {
	b := newBed()
	a := b.session(t)
	if err := b.SetState(t.Context(), a, []byte("on")); err != nil {
		t.Fatal(err)
	}
	if got := string(b.store.states[a.Device.Number]); got != "on" {
		t.Errorf("kept: %q", got)
	}
	if len(b.topics.sent) != 1 || b.topics.sent[0].topic != "state" || b.topics.sent[0].data != "on" || len(b.topics.sent[0].attributes) != 6 {
		t.Errorf("published: %v", b.topics.sent)
	}
	b.topics.sent = nil
	b.store.fault = errors.New("down")
	if err := b.SetState(t.Context(), a, []byte("off")); why(t, err) != gateway.StoreFault {
		t.Errorf("while the store is down: %v", err)
	}
	b.store.fault = gateway.ErrNotFound
	if err := b.SetState(t.Context(), a, []byte("off")); why(t, err) != gateway.UnknownDevice {
		t.Errorf("of a deleted device: %v", err)
	}
	if len(b.topics.sent) > 0 {
		t.Errorf("published what is not kept: %v", b.topics.sent)
	}
}

const (
	keyA = "a QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n"
	keyB = "b QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=\n"
)

func TestAttestationIsTheWorkersAndRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "keys")
		write := func(content string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(keyA)
		b := newBed()
		var err error
		if b.Signer, err = gateway.OpenSigner(path); err != nil {
			t.Fatal(err)
		}
		a := b.session(t)
		b.run(t)
		defer b.stop()
		verify := func(keys string) error {
			b.topics.sent = nil
			if err := b.telemetry(a, "temperature", []byte("{}")); err != nil {
				t.Fatal(err)
			}
			m := schema.Message{Data: []byte(b.topics.sent[0].data)}
			for _, a := range b.topics.sent[0].attributes {
				m.Attributes = append(m.Attributes, schema.Attribute{Key: []byte(a.Key), Value: []byte(a.Value)})
			}
			ring, err := schema.ParseKeyring([]byte(keys))
			if err != nil {
				t.Fatal(err)
			}
			if why := ring.Verify(&m); why != nil {
				return why
			}
			return nil
		}
		if err := verify(keyA); err != nil {
			t.Error(err)
		}
		write(keyB + keyA)
		pass(watched.Every + time.Second)
		if err := verify(keyB); err != nil {
			t.Errorf("after the rotation: %v", err)
		}
		write("half a li")
		pass(watched.Every + time.Second)
		if err := verify(keyB); err != nil {
			t.Errorf("after a broken file: %v", err)
		}
	})
}

func TestASignersKeysAreNotForEveryone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := gateway.OpenSigner(path); err == nil {
		t.Error("no file will do")
	}
	if err := os.WriteFile(path, []byte(keyA), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.OpenSigner(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that everyone reads: %v", err)
	}
}

func TestSignsOfLifeAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed()
		a := b.session(t)
		proxied := *a
		proxied.Via = &gateway.Device{Key: gateway.DeviceKey{RegistryKey: seed, Device: "gateway1"}, Number: 7}
		b.run(t)
		defer b.stop()
		began := time.Now()
		_ = b.telemetry(a, "", nil)
		pass(time.Second)
		_ = b.telemetry(&proxied, "", nil)
		b.Note(gateway.Sign{Device: a.Device.Number, Heartbeat: began})
		b.store.change(func() { b.store.fault = errors.New("down") })
		pass(time.Minute)
		b.Note(gateway.Sign{Device: a.Device.Number, Heartbeat: began.Add(-time.Hour)}) // late news
		b.store.change(func() { b.store.fault = nil })
		pass(time.Minute)
		want := gateway.Sign{Device: a.Device.Number, Event: began.Add(time.Second), Heartbeat: began, Via: began.Add(time.Second), Gateway: "gateway1"}
		if diff := cmp.Diff(want, b.store.signs[a.Device.Number]); diff != "" {
			t.Error(diff)
		}
		_ = b.telemetry(a, "", nil)
		b.stop()
		if last := b.store.signs[a.Device.Number]; !last.Event.Equal(time.Now()) {
			t.Errorf("the last sign is lost: %v", last)
		}
	})
}
