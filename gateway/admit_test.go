package gateway_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/gateway"
)

func TestBothSpellingsAreOneDevice(t *testing.T) {
	b, key := newBed(), newKey()
	d := b.store.add(seed, "device1", key.Credential)
	for _, id := range []string{"device1", d.Num()} {
		a, err := b.admit(seed, id, key.token(seed.Project))
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if a.Device.Number != d.Number || a.Device.Key.Device != "device1" || a.Credential != 0 || time.Until(a.Expires) < 59*time.Minute {
			t.Errorf("%s: %+v", id, a)
		}
		if a.Device.Metadata != nil || a.Device.Config.Data != nil || a.Registry.Authorities != nil {
			t.Errorf("%s: a session keeps %+v", id, a.Device)
		}
	}
}

func TestJ12_ATokenServesItsOwnDeviceAlone(t *testing.T) {
	b := newBed()
	elsewhere, foreign := seed, seed
	elsewhere.Registry, foreign.Project = "OtherDevices", "project-2"
	type holder struct {
		gateway.RegistryKey
		device string
		key    *keypair
	}
	var holders []holder
	for _, r := range []gateway.RegistryKey{seed, elsewhere, foreign} {
		for _, name := range []string{"device1", "device2"} {
			key := newKey()
			b.store.add(r, name, key.Credential)
			holders = append(holders, holder{r, name, key})
		}
	}
	for _, from := range holders {
		for _, to := range holders {
			_, err := b.admit(to.RegistryKey, to.device, from.key.token(from.Project))
			if (err == nil) != (from == to) {
				t.Errorf("the token of %s/%s for %s/%s: %v", from.RegistryKey, from.device, to.RegistryKey, to.device, err)
			}
			if got := why(t, err); err != nil && got != gateway.BadSignature && got != gateway.TokenAudience {
				t.Errorf("the token of %s/%s for %s/%s: %v", from.RegistryKey, from.device, to.RegistryKey, to.device, err)
			}
		}
	}
}

func TestJ13_ACredentialThatIsGoneAdmitsNobody(t *testing.T) {
	b, key, other := newBed(), newKey(), newKey()
	d := b.store.add(seed, "device1", key.Credential)
	before, err := b.admit(seed, "device1", key.token(seed.Project))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		do    func()
		admit gateway.Reason
		still gateway.Reason
	}{
		{
			"it expires", func() {
				d.Credentials = []gateway.Credential{{Format: key.Format, PEM: key.PEM, Expires: time.Now().Add(-time.Second)}}
			},
			gateway.KeyExpired, "",
		}, // which counts at admission alone
		{"another takes its place", func() { d.Credentials = []gateway.Credential{other.Credential} }, gateway.BadSignature, gateway.CredentialGone},
		{"none is left", func() { d.Credentials = nil }, gateway.NoKey, gateway.CredentialGone},
		{"it comes second", func() { d.Credentials = []gateway.Credential{other.Credential, key.Credential} }, "", ""},
		{"the device is blocked", func() { d.Blocked = true }, gateway.Blocked, gateway.Blocked},
		{"the device is deleted", func() { delete(b.store.devices, d.Key) }, gateway.UnknownDevice, gateway.UnknownDevice},
		{"the device is made again", func() { b.store.add(seed, "device1", other.Credential) }, gateway.BadSignature, gateway.UnknownDevice},
		{"with the same key", func() { b.store.add(seed, "device1", key.Credential) }, "", gateway.UnknownDevice},
		{"the protocol is disabled", func() { b.store.registries[seed].MQTT = false }, gateway.ProtocolDisabled, gateway.UnknownDevice},
		{"the registry is deleted", func() { delete(b.store.registries, seed) }, gateway.UnknownRegistry, gateway.UnknownRegistry},
	} {
		b.store.change(c.do)
		if _, err := b.admit(seed, "device1", key.token(seed.Project)); why(t, err) != c.admit {
			t.Errorf("%s: admitted anew: %v, want %q", c.name, err, c.admit)
		}
		if err := b.Still(t.Context(), before); why(t, err) != c.still {
			t.Errorf("%s: still: %v, want %q", c.name, err, c.still)
		}
	}
}

func TestB34_WhatASessionMayLoseWhileItLasts(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*store, *gateway.Device)
		want gateway.Reason
	}{
		"nothing":    {func(*store, *gateway.Device) {}, ""},
		"blocked":    {func(_ *store, d *gateway.Device) { d.Blocked = true }, gateway.Blocked},
		"key":        {func(_ *store, d *gateway.Device) { d.Credentials = nil }, gateway.CredentialGone},
		"protocol":   {func(s *store, _ *gateway.Device) { s.registries[seed].MQTT = false }, gateway.ProtocolDisabled},
		"registry":   {func(s *store, _ *gateway.Device) { delete(s.registries, seed) }, gateway.UnknownRegistry},
		"the store":  {func(s *store, _ *gateway.Device) { s.fault = errors.New("down") }, gateway.StoreFault},
		"its number": {func(_ *store, d *gateway.Device) { d.Number++ }, gateway.UnknownDevice},
	} {
		b, key := newBed(), newKey()
		d := b.store.add(seed, "device1", key.Credential)
		a, err := b.admit(seed, "device1", key.token(seed.Project))
		if err != nil {
			t.Fatal(err)
		}
		c.do(b.store, d)
		if err := b.Still(t.Context(), a); why(t, err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// counting is a verifier that says how often it was asked.
type counting struct {
	gateway.Verifier
	calls, keys int
}

func (c *counting) Verify(token []byte, project string, keys []gateway.Credential, now time.Time) (time.Time, int, error) {
	c.calls++
	c.keys = len(keys)
	return c.Verifier.Verify(token, project, keys, now)
}

func TestJ17_EveryRefusalTakesTheSameSteps(t *testing.T) {
	b, key := newBed(), newKey()
	verifier := &counting{Verifier: b.Verifier}
	b.Verifier = verifier
	b.store.add(seed, "device1", key.Credential)
	b.store.add(seed, "blocked1", key.Credential).Blocked = true
	silent, nowhere, disabled := seed, seed, seed
	silent.Registry, nowhere.Project, disabled.Registry = "Nothing", "project-9", "HttpOnly"
	b.store.add(disabled, "device1", key.Credential)
	b.store.registries[disabled].MQTT = false
	for _, c := range []struct {
		name     string
		registry gateway.RegistryKey
		device   string
		token    []byte
		want     gateway.Reason
	}{
		{"wrong key", seed, "device1", newKey().token(seed.Project), gateway.BadSignature},
		{"unknown device", seed, "device9", key.token(seed.Project), gateway.UnknownDevice},
		{"unknown number", seed, "2577321808646966", key.token(seed.Project), gateway.UnknownDevice},
		{"blocked", seed, "blocked1", key.token(seed.Project), gateway.Blocked},
		{"blocked, wrong key", seed, "blocked1", newKey().token(seed.Project), gateway.BadSignature},
		{"unknown registry", silent, "device1", key.token(seed.Project), gateway.UnknownRegistry},
		{"unknown project", nowhere, "device1", key.token("project-9"), gateway.UnknownRegistry},
		{"protocol", disabled, "device1", key.token(seed.Project), gateway.ProtocolDisabled},
	} {
		verifier.calls, b.store.asked = 0, 0
		a, err := b.admit(c.registry, c.device, c.token)
		if a != nil || why(t, err) != c.want {
			t.Errorf("%s: %+v, %v, want %s", c.name, a, err, c.want)
		}
		if verifier.calls != 1 || b.store.asked != 1 {
			t.Errorf("%s: %d tokens verified, the store asked %d times", c.name, verifier.calls, b.store.asked)
		}
		if unknown := c.want == gateway.UnknownDevice || c.want == gateway.UnknownRegistry; unknown && verifier.keys > 0 {
			t.Errorf("%s: keys of a device that is not there", c.name)
		}
	}
	if _, err := b.admit(seed, "goog", nil); why(t, err) != gateway.BadName {
		t.Errorf("a name outside the grammar: %v", err)
	}
}

func TestB33_WhileTheStoreIsDown(t *testing.T) {
	outages := map[string]func(*store){
		"down": func(s *store) { s.fault = errors.New("down") },
		"slow": func(s *store) { s.hang = true },
	}
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, key := newBed(), newKey()
				known := b.store.add(seed, "device1", key.Credential)
				b.store.add(seed, "device2", key.Credential)
				b.store.add(seed, "later1", key.Credential)
				b.store.add(seed, "blocked1", key.Credential).Blocked = true
				revoked := b.store.add(seed, "revoked1", key.Credential)
				b.run(t)
				defer b.stop()
				attempt := func(device string) gateway.Reason {
					_, err := b.admit(seed, device, key.token(seed.Project))
					return why(t, err)
				}
				for device, want := range map[string]gateway.Reason{"device1": "", "blocked1": gateway.Blocked, "revoked1": ""} {
					if got := attempt(device); got != want {
						t.Fatalf("before, %s: %q", device, got)
					}
				}
				pass(30 * time.Second)
				if got := attempt("later1"); got != "" {
					t.Fatalf("before, later1: %q", got)
				}
				b.store.change(func() { outage(b.store) })
				b.store.changes <- gateway.Change{Kind: gateway.DeviceChanged, Device: revoked.Number}
				synctest.Wait()
				began := time.Now()
				for device, want := range map[string]gateway.Reason{
					"device1": "", known.Num(): "", // known, by both names
					"device2":  gateway.StoreFault, // never asked for
					"blocked1": gateway.Blocked,
					"revoked1": gateway.StoreFault, // something about it has changed since
				} {
					if got := attempt(device); got != want {
						t.Errorf("during the outage, %s: %q, want %q", device, got, want)
					}
				}
				if other := time.Since(began); other > 5*5*time.Second {
					t.Errorf("it took %v", other)
				}
				if _, err := b.admit(seed, "device1", newKey().token(seed.Project)); why(t, err) != gateway.BadSignature {
					t.Errorf("a wrong key during the outage: %v", err)
				}
				pass(31*time.Second - time.Since(began))
				for device, want := range map[string]gateway.Reason{"device1": gateway.StoreFault, "later1": ""} {
					if got := attempt(device); got != want {
						t.Errorf("a minute after it was known, %s: %q, want %q", device, got, want)
					}
				}
				b.store.change(func() { b.store.fault, b.store.hang = nil, false })
				if got := attempt("device1"); got != "" {
					t.Errorf("after the outage: %q", got)
				}
				b.store.change(func() { outage(b.store) })
				b.store.changes <- gateway.Change{Kind: gateway.Resync}
				synctest.Wait()
				if got := attempt("device1"); got != gateway.StoreFault {
					t.Errorf("after changes were missed: %q", got)
				}
			})
		})
	}
}

// The store's answer is on its way while the device is blocked.
func TestB33_AnAnswerFromBeforeAChangeIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, key := newBed(), newKey()
		d := b.store.add(seed, "device1", key.Credential)
		b.store.add(seed, "device2", key.Credential)
		b.run(t)
		defer b.stop()
		b.store.answering = func() {
			b.store.change(func() { d.Blocked = true })
			b.store.changes <- gateway.Change{Kind: gateway.DeviceChanged, Device: d.Number}
			synctest.Wait()
		}
		if _, err := b.admit(seed, "device1", key.token(seed.Project)); err != nil {
			t.Fatal(err)
		}
		b.store.answering = nil
		if _, err := b.admit(seed, "device2", key.token(seed.Project)); err != nil {
			t.Fatal(err)
		}
		b.store.change(func() { b.store.fault = errors.New("down") })
		for device, want := range map[string]gateway.Reason{"device1": gateway.StoreFault, "device2": ""} {
			if _, err := b.admit(seed, device, key.token(seed.Project)); why(t, err) != want {
				t.Errorf("%s, from memory: %v", device, err)
			}
		}
	})
}

func TestB33_OneThatIsGoneIsForgotten(t *testing.T) {
	b, key := newBed(), newKey()
	d := b.store.add(seed, "device1", key.Credential)
	for range 2 {
		_, _ = b.admit(seed, "device1", key.token(seed.Project))
		delete(b.store.devices, d.Key)
	}
	b.store.fault = errors.New("down")
	for _, id := range []string{"device1", d.Num()} {
		if _, err := b.admit(seed, id, key.token(seed.Project)); why(t, err) != gateway.StoreFault {
			t.Errorf("a deleted device is admitted as %s: %v", id, err)
		}
	}
}

func TestB33_ARegistryThatIsGoneIsForgotten(t *testing.T) {
	b, key := newBed(), newKey()
	b.store.add(seed, "device1", key.Credential)
	for range 2 {
		_, _ = b.admit(seed, "device1", key.token(seed.Project))
		delete(b.store.registries, seed)
	}
	b.store.fault = errors.New("down")
	if _, err := b.admit(seed, "device1", key.token(seed.Project)); why(t, err) != gateway.StoreFault {
		t.Errorf("a device of a deleted registry is admitted: %v", err)
	}
}

func TestAdmitEndsWithItsClient(t *testing.T) {
	b, key := newBed(), newKey()
	b.store.hang = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Admit(ctx, gateway.Attempt{Key: gateway.DeviceKey{RegistryKey: seed, Device: "device1"}, Token: key.token(seed.Project)})
	if why(t, err) != gateway.StoreFault {
		t.Error(err)
	}
}
