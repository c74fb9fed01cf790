package auth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"iotbridge/gateway"
)

const (
	// A device that fails so often, from one address, waits. Others at the address,
	// behind the same NAT, do not.
	perDevice = 600
	// All devices of one address together.
	perAddress = 6000
	// per is the time in which so many failures are forgiven.
	per = time.Minute

	// maxFailing bounds what is remembered, in each of two generations: some 5 MiB.
	maxFailing = 32 << 10
	// networkBits is what one subscriber has of IPv6.
	networkBits = 64
)

// Throttle says when an address has failed to authenticate too often: a device from
// it more than 600 times, or all devices from it more than 6000 times, and a minute
// forgives as many. It forgets those first that have not failed for the longest
// time. The zero value is ready for use, by several goroutines.
type Throttle struct {
	mu      sync.Mutex
	failing recent[suspect, time.Time] // when all is forgiven, by GCRA
}

// suspect is an address and the hash of a device, or 0 for all of them.
type suspect struct {
	remote netip.Addr
	device uint64
}

var seed = maphash.MakeSeed()

// Allow reports whether an attempt may be looked at. One that may not costs nothing
// more, and is not to be called a failure.
func (t *Throttle) Allow(remote netip.Addr, device gateway.DeviceKey, now time.Time) bool {
	remote, id := identify(remote, device)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.below(suspect{remote, id}, perDevice, now) && t.below(suspect{remote, 0}, perAddress, now)
}

// Failed books a refusal that was the device's fault.
func (t *Throttle) Failed(remote netip.Addr, device gateway.DeviceKey, now time.Time) {
	remote, id := identify(remote, device)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(suspect{remote, id}, perDevice, now)
	t.add(suspect{remote, 0}, perAddress, now)
}

func (t *Throttle) below(s suspect, limit int, now time.Time) bool {
	forgiven, _ := t.failing.get(s)
	return forgiven.Sub(now) <= per-per/time.Duration(limit)
}

func (t *Throttle) add(s suspect, limit int, now time.Time) {
	forgiven, _ := t.failing.get(s)
	if forgiven.Before(now) {
		forgiven = now
	}
	t.failing.put(s, forgiven.Add(per/time.Duration(limit)), maxFailing)
}

func identify(remote netip.Addr, device gateway.DeviceKey) (netip.Addr, uint64) {
	remote = remote.Unmap()
	if remote.Is6() {
		if network, err := remote.Prefix(networkBits); err == nil {
			remote = network.Addr()
		}
	}
	return remote, maphash.Comparable(seed, device)
}
