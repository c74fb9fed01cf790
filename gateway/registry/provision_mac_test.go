package registry_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/registry"
)

// An entry of the allow list is one unit's: who knows a MAC that is allowed gets one
// device by it, under whatever serials they ask, through whichever gateway.
func aMACLetsInOneUnit(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	p, err := o.Profile(ctx, o.profile)
	if err != nil {
		t.Fatal(err)
	}
	p.Lists = true
	o.put(t, p)
	const mac, second = "02:00:00:00:00:01", "02:00:00:00:00:02"
	if _, err := o.Enlist(ctx, "tester", o.profile, provision.Allow, listed(provision.Entry{MAC: mac}, provision.Entry{MAC: second}, provision.Entry{Serial: "SN-LISTED"})); err != nil {
		t.Fatal(err)
	}
	through := []*registry.Provisioning{o.Provisioning, w.open(t).Provisioning(), w.open(t).Provisioning()}
	settle := func(by *registry.Provisioning, b *board) error {
		_, err := by.Settle(ctx, o.profile, b.Unit, b.spki, func(k provision.Known) (*provision.Change, error) {
			if !k.Listing.Allowed {
				return nil, errRefused
			}
			return b.decide(k)
		})
		return err
	}
	// A unit that its serial lets in takes no MAC away.
	if err := settle(o.Provisioning, newBoard(t, "SN-LISTED", mac)); err != nil {
		t.Fatal(err)
	}
	var in atomic.Pointer[board]
	var granted atomic.Int32
	var all sync.WaitGroup
	for i := range 30 {
		b := newBoard(t, serial(i), mac)
		all.Go(func() {
			switch err := settle(through[i%len(through)], b); {
			case err == nil:
				granted.Add(1)
				in.Store(b)
			case !errors.Is(err, errRefused):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if granted.Load() != 1 {
		t.Fatalf("%d units by one MAC", granted.Load())
	}
	one := in.Load()
	if err := settle(o.Provisioning, one); err != nil {
		t.Errorf("it asks again: %v", err)
	}
	// A second MAC is not spent on it, whichever it names.
	both := *one
	both.MACs = []string{mac, second}
	if err := settle(o.Provisioning, &both); err != nil {
		t.Errorf("with both: %v", err)
	}
	if err := settle(o.Provisioning, newBoard(t, "SN-SECOND", mac, second)); err != nil {
		t.Errorf("by the MAC that is free: %v", err)
	}
	if err := o.Reset(ctx, "tester", o.profile, one.Serial); err != nil {
		t.Fatal(err)
	}
	if err := settle(o.Provisioning, newBoard(t, "SN-AFTER", mac)); err != nil {
		t.Errorf("after a reset: %v", err)
	}
	if err := settle(o.Provisioning, one); !errors.Is(err, errRefused) {
		t.Errorf("and who was reset: %v", err)
	}
	if l, _, err := o.Entries(ctx, o.profile, provision.Allow, gateway.Page{Size: 500}); err != nil || len(l) != 3 {
		t.Errorf("%+v, %v", l, err)
	}
}
