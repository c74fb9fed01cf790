package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/gateway"
)

func TestM21_ANoisyDeviceHasItsShareOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, key := newBed(), newKey()
		b.Limiter = gateway.NewLimiter()
		d := b.store.add(seed, "device1", key.Credential)
		var noisy []*gateway.Admission // by both names, over both protocols
		for _, id := range []string{"device1", d.Num()} {
			for _, p := range []gateway.Protocol{gateway.MQTT, gateway.HTTP} {
				a, err := b.Admit(t.Context(), gateway.Attempt{Key: gateway.DeviceKey{RegistryKey: seed, Device: id}, Token: key.token(seed.Project), Protocol: p})
				if err != nil {
					t.Fatal(err)
				}
				noisy = append(noisy, a)
			}
		}
		var others []*gateway.Admission
		for i := range 100 {
			others = append(others, &gateway.Admission{Registry: noisy[0].Registry, Device: &gateway.Device{
				Key: noisy[0].Device.Key, Number: uint64(i),
			}})
		}
		const seconds = 10
		taken := 0
		for range seconds {
			for range 10 {
				for i := range 1000 {
					if b.telemetry(noisy[i%len(noisy)], "", nil) == nil {
						taken++
					}
				}
				pass(100 * time.Millisecond)
			}
			for i, a := range others {
				if err := b.telemetry(a, "", nil); err != nil {
					t.Fatalf("device %d: %v", i, err)
				}
			}
		}
		if most := 100 * (seconds + 1); taken < 100*seconds || taken > most {
			t.Errorf("%d were taken of a device in %d s", taken, seconds)
		}
	})
}

func TestRatesOfOneDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := gateway.NewLimiter()
		const device, other = 1, 2
		count := func(d uint64, bytes int) (n int) {
			for l.Event(d, bytes) == 0 {
				n++
			}
			return n
		}
		if n := count(device, 10); n != 100 {
			t.Errorf("%d at once", n)
		}
		if wait := l.Event(device, 10); wait != 10*time.Millisecond {
			t.Errorf("the next one after %v", wait)
		}
		pass(10 * time.Millisecond)
		if n := count(device, 10); n != 1 {
			t.Errorf("%d after 10 ms", n)
		}
		if n := count(other, 256<<10); n != 2 {
			t.Errorf("%d of 256 KiB at once", n)
		}
		if wait := l.Event(other, 256<<10); wait != 500*time.Millisecond {
			t.Errorf("the next 256 KiB after %v", wait)
		}
		pass(time.Hour)
		if n := count(device, 0); n != 100 {
			t.Errorf("%d at once after a pause", n)
		}
		for i := range 5 {
			if ok := l.State(device) == 0; ok != (i < 2) {
				t.Errorf("state %d: %v", i, ok)
			}
		}
		pass(time.Second)
		if l.State(device) != 0 || l.State(device) == 0 {
			t.Error("not one state after a second")
		}
	})
}

func TestRatesAreSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const device, slow = 1, 2
		l := gateway.Rates{Messages: 5, Bytes: 1024}.Limiter()
		for i := range 6 {
			if ok := l.Event(device, 0) == 0; ok != (i < 5) {
				t.Errorf("message %d: %v", i, ok)
			}
		}
		if wait := l.Event(device, 0); wait != 200*time.Millisecond {
			t.Errorf("the next one after %v", wait)
		}
		// A rate below the largest message lets one through, and makes the device pay.
		if l.Event(slow, gateway.MaxTelemetry) != 0 {
			t.Error("the largest message never passes")
		}
		const owed = gateway.MaxTelemetry / 1024 * time.Second
		for i := range 4 {
			if wait := l.Event(slow, gateway.MaxTelemetry); wait != owed-owed/4*time.Duration(i) {
				t.Errorf("%d of 4 are paid, and the next one after %v", i, wait)
			}
			if wait := l.Event(slow, 512); wait != owed-owed/4*time.Duration(i)-time.Second/2 {
				t.Errorf("%d of 4 are paid, and a small one after %v", i, wait)
			}
			pass(owed / 4)
		}
		if l.Event(slow, gateway.MaxTelemetry) != 0 {
			t.Error("it has paid, and the next one does not pass")
		}
	})
}

func TestDelayBooksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed()
		b.Limiter = gateway.NewLimiter()
		a := b.session(t)
		for range 1000 {
			if wait := b.Delay(a, 100); wait != 0 {
				t.Fatal(wait)
			}
		}
		for range 101 {
			_ = b.telemetry(a, "", nil)
		}
		if b.Delay(a, 1) == 0 {
			t.Error("no delay over the rate")
		}
		if err := b.telemetry(a, "", nil); why(t, err) != gateway.OverRate {
			t.Error(err)
		}
	})
}
