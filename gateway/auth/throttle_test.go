package auth_test

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

var (
	here     = netip.MustParseAddr("192.0.2.1")
	there    = netip.MustParseAddr("192.0.2.2")
	numbered = func(i int) gateway.DeviceKey {
		return gateway.DeviceKey{RegistryKey: gateway.RegistryKey{Project: project, Registry: "r"}, Device: fmt.Sprint("device", i)}
	}
)

// fail makes n attempts that fail, and returns how many were let through.
func fail(t *auth.Throttle, n int, remote netip.Addr, d func(i int) gateway.DeviceKey, at time.Time) (allowed int) {
	for i := range n {
		if t.Allow(remote, d(i), at) {
			allowed++
			t.Failed(remote, d(i), at)
		}
	}
	return allowed
}

func one(int) gateway.DeviceKey { return numbered(1) }

func TestThrottleOfOneDevice(t *testing.T) {
	th := new(auth.Throttle)
	if n := fail(th, 10_000, here, one, now); n != 600 {
		t.Errorf("%d failures at once, want 600", n)
	}
	if !th.Allow(here, numbered(2), now) {
		t.Error("another device behind the same address waits too")
	}
	if !th.Allow(there, numbered(1), now) {
		t.Error("the device waits at another address: anyone could lock it out")
	}
	if th.Allow(here, numbered(1), now.Add(99*time.Millisecond)) || !th.Allow(here, numbered(1), now.Add(100*time.Millisecond)) {
		t.Error("not forgiven at ten a second")
	}
	if n := fail(th, 10_000, here, one, now.Add(time.Minute)); n != 600 {
		t.Errorf("%d failures a minute later, want 600", n)
	}
}

func TestThrottleOfOneAddress(t *testing.T) {
	th := new(auth.Throttle)
	if n := fail(th, 20_000, here, numbered, now); n != 6000 {
		t.Errorf("%d failures at once, want 6000", n)
	}
	if th.Allow(here, numbered(30_000), now) || !th.Allow(there, numbered(1), now) {
		t.Error("not this address alone waits")
	}
	if !th.Allow(here, numbered(1), now.Add(time.Minute)) {
		t.Error("not forgiven after a minute")
	}
}

// Whatever the rhythm, 600 in each minute pass.
func TestThrottleNeverBitesBelow600AMinute(t *testing.T) {
	for _, burst := range []int{1, 10, 300, 600} {
		th := new(auth.Throttle)
		gap := time.Minute / time.Duration(600/burst)
		for i := range 5 * 600 / burst {
			if n := fail(th, burst, here, one, now.Add(time.Duration(i)*gap)); n != burst {
				t.Fatalf("bursts of %d: %d of the %d. passed", burst, n, i)
			}
		}
	}
}

func TestThrottleTakesNetworksAsOne(t *testing.T) {
	for _, tt := range []struct {
		name, failing, next string
		same                bool
	}{
		{"IPv4 in IPv6", "::ffff:192.0.2.9", "192.0.2.9", true},
		{"a /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"two /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"a zone", "fe80::1%eth0", "fe80::1", true},
		{"two of IPv4", "192.0.2.8", "192.0.2.9", false},
	} {
		th := new(auth.Throttle)
		fail(th, 600, netip.MustParseAddr(tt.failing), one, now)
		if th.Allow(netip.MustParseAddr(tt.next), numbered(1), now) == tt.same {
			t.Errorf("%s: taken as one is not %t", tt.name, tt.same)
		}
	}
	th := new(auth.Throttle)
	if n := fail(th, 601, netip.Addr{}, one, now); n != 600 {
		t.Errorf("no address: %d", n)
	}
}

// Attempts that are looked at meanwhile may overdraw, by one each.
func TestThrottleOfManyAtOnce(t *testing.T) {
	th := new(auth.Throttle)
	var group sync.WaitGroup
	var allowed atomic.Int64
	for range 8 {
		group.Go(func() { allowed.Add(int64(fail(th, 1000, here, numbered, now))) })
	}
	group.Wait()
	if n := allowed.Load(); n < 6000 || n > 6008 {
		t.Errorf("%d failures, want 6000", n)
	}
}
