package provision

import (
	"context"
	"net/netip"
	"testing"
)

// P1, P20: who takes all the places of one network holds up nobody else's.
func TestP1_P20_ANetworkHasItsShareOfTheRoom(t *testing.T) {
	r := newRoom()
	given, cancel := context.WithCancel(t.Context())
	cancel()
	var leave []func()
	enter := func(ctx context.Context, from string) bool {
		t.Helper()
		out, err := r.enter(ctx, netip.MustParseAddr(from))
		if err == nil {
			leave = append(leave, out)
		}
		return err == nil
	}
	for range maxShare {
		if !enter(t.Context(), "192.0.2.1") {
			t.Fatal("no place")
		}
	}
	if r.of["192.0.2.1"].taken.TryAcquire(1) || enter(given, "192.0.2.1") || enter(given, "::ffff:192.0.2.1") {
		t.Error("more than its share")
	}
	for _, from := range []string{"192.0.2.2", "2001:db9::1", "2001:db9:0:1::1"} {
		for range maxShare {
			enter(t.Context(), from)
		}
	}
	if len(leave) != maxBodies {
		t.Errorf("%d places", len(leave))
	}
	if r.all.TryAcquire(1) || enter(given, "198.51.100.1") {
		t.Error("more than there are")
	}
	for _, out := range leave {
		out()
	}
	if len(r.of) != 0 || !enter(t.Context(), "192.0.2.1") {
		t.Errorf("%d networks are remembered", len(r.of))
	}
}
