package provision

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// P1: what is counted together, and what is remembered.
func TestP1_WhatIsCountedTogether(t *testing.T) {
	var l limits
	p := &Profile{ID: "batch", Rates: Rates{Certificate: 1000, Address: 2, Prefix: 1000}}
	now := time.Unix(1_800_000_000, 0)
	take := func(from string) time.Duration {
		return l.take(p, &Request{Unit: Unit{Serial: "SN-0001"}, From: netip.MustParseAddr(from)}, now)
	}
	for _, from := range []string{"2001:db9::1", "2001:db9::ffff:1", "192.0.2.1", "::ffff:192.0.2.1"} {
		if wait := take(from); wait != 0 {
			t.Errorf("%s waits %s", from, wait)
		}
	}
	for _, from := range []string{"2001:db9::2", "192.0.2.1"} {
		if wait := take(from); wait <= 0 || wait > 30*time.Second {
			t.Errorf("%s waits %s", from, wait)
		}
	}
	if take("2001:db9:0:1::1") != 0 {
		t.Error("another network waits")
	}
	// What is refused is not counted.
	now = now.Add(30 * time.Second)
	if take("192.0.2.1") != 0 {
		t.Error("it waits still")
	}
}

func TestP1_MemoryIsBounded(t *testing.T) {
	var l limits
	p := &Profile{ID: "batch", Rates: Rates{Certificate: maxRate, Address: 1, Prefix: maxRate}}
	now := time.Unix(1_800_000_000, 0)
	from := netip.MustParseAddr("192.0.2.1")
	for i := range 3 * maxLimited {
		if i%1000 == 0 { // who keeps asking is not forgotten for those who come once
			now = now.Add(time.Minute)
			l.take(p, &Request{Unit: Unit{Serial: "AAAA"}, From: from}, now)
		}
		l.take(p, &Request{Unit: Unit{Serial: fmt.Sprintf("%08X-000", i)}, From: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}, now)
	}
	for name, n := range map[string]int{"addresses": len(l.addresses.young) + len(l.addresses.old), "serials": len(l.serials.young) + len(l.serials.old)} {
		if n > 2*maxLimited {
			t.Errorf("%d %s", n, name)
		}
	}
	if l.take(p, &Request{Unit: Unit{Serial: "AAAA"}, From: from}, now) == 0 {
		t.Error("forgotten")
	}
}
