package registry_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/registry"
)

func settles(t *testing.T, w *world) {
	o, b := newOffice(t, w), newBoard(t, "10000000ABCD", "b8:27:eb:00:00:01")
	change := b.change()
	change.Metadata, change.Claim.NotAfter = map[string]string{"batch": "7"}, fromYear(2030)
	change.Claim.Device, change.Claim.Number, change.Claim.Profile = o.device("another"), 7, "another" // not the decision's
	c, err := o.Settle(t.Context(), o.profile, b.Unit, b.spki, func(k provision.Known) (*provision.Change, error) {
		if k.Claim != nil || k.Device != nil || k.KeyOwner != "" || k.Profile.Devices != 0 || k.Profile.ID != o.profile || k.Listing.Allowed {
			t.Errorf("known of a new unit: %+v", k)
		}
		return change, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := o.Device(t.Context(), o.device("d-10000000ABCD"))
	if err != nil || d.Number != c.Number || d.Metadata["batch"] != "7" || d.Config.Version != 1 || !cmp.Equal(d.Credentials, change.Credentials) {
		t.Errorf("%+v, %v", d, err)
	}
	want := change.Claim
	want.Profile, want.Device, want.Number, want.Created, want.Updated = o.profile, d.Key, d.Number, c.Created, c.Created
	if diff := cmp.Diff(&want, c); diff != "" || c.Created.IsZero() {
		t.Errorf("-want +got:\n%s", diff)
	}
	for what, find := range map[string]func() (*provision.Claim, error){
		"by serial": func() (*provision.Claim, error) {
			return o.Provisioning.Claim(t.Context(), o.profile, b.Serial)
		},
		"by certificate": func() (*provision.Claim, error) { return o.ClaimOf(t.Context(), sum(b.certificate)) },
		"asked again":    func() (*provision.Claim, error) { return o.settle(t, b) },
	} {
		if got, err := find(); err != nil || !cmp.Equal(got, c) {
			t.Errorf("%s: %v\n%s", what, err, cmp.Diff(c, got))
		}
	}
	if _, err := o.settle(t, newBoard(t, b.Serial)); !errors.Is(err, errRefused) {
		t.Errorf("another key: %v", err)
	}
	if n := len(o.actions(t, "provision_claim")); n != 1 || o.granted(t) != 1 {
		t.Errorf("%d entries in the audit log, want 1", n)
	}
	if _, err := o.ClaimOf(t.Context(), [32]byte{}); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("a certificate that is none: %v, want ErrNotFound", err)
	}
	for name, unit := range map[string]string{"unknown": "X1234", "empty": "", "control": "A\x00B", "long": string(make([]byte, 9000))} {
		if _, err := o.Provisioning.Claim(t.Context(), o.profile, unit); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}

// Of 100 that claim one serial at once, through several gateways, one gets it. P4 is
// the same with many serials.
func oneGrantOfMany(t *testing.T, w *world) {
	o := newOffice(t, w)
	through := []*registry.Provisioning{o.Provisioning, w.open(t).Provisioning(), w.open(t).Provisioning(), w.open(t).Provisioning()}
	race := func(claimants, serials int) {
		var grants, refusals atomic.Int64
		var all sync.WaitGroup
		for i := range claimants {
			b := newBoard(t, serial(serials*1000+i%serials))
			all.Go(func() {
				fresh := false
				_, err := through[i%len(through)].Settle(t.Context(), o.profile, b.Unit, b.spki, func(k provision.Known) (*provision.Change, error) {
					c, err := b.decide(k)
					fresh = c != nil
					return c, err
				})
				switch {
				case err == nil && fresh:
					grants.Add(1)
				case errors.Is(err, errRefused):
					refusals.Add(1)
				default:
					t.Errorf("neither granted nor refused: %v", err)
				}
			})
		}
		all.Wait()
		if grants.Load() != int64(serials) || refusals.Load() != int64(claimants-serials) {
			t.Errorf("%d grants and %d refusals of %d claims for %d serials", grants.Load(), refusals.Load(), claimants, serials)
		}
	}
	race(100, 1)
	race(99, 33) // 33 and 4 have no factor in common: each serial is asked for through three gateways
	if n := o.granted(t); n != 34 {
		t.Errorf("%d devices, want 34", n)
	}
}

// What ends a decision, or what it may not be, leaves nothing behind.
func nothingHalfDone(t *testing.T, w *world) {
	o := newOffice(t, w)
	o.create(t, "d-TAKEN")
	audited := func() int {
		list, _, err := o.Audit(t.Context(), gateway.Page{Size: 1})
		if err != nil || len(list) == 0 {
			t.Fatal(err)
		}
		return len(o.actions(t, "provision_claim"))
	}
	for name, c := range map[string]struct {
		serial string
		change func(context.CancelFunc, *provision.Change) error
		want   error
	}{
		"refused":        {"10000001", func(context.CancelFunc, *provision.Change) error { return errRefused }, errRefused},
		"given up":       {"10000002", func(stop context.CancelFunc, _ *provision.Change) error { stop(); return nil }, context.Canceled},
		"name taken":     {"TAKEN", func(context.CancelFunc, *provision.Change) error { return nil }, gateway.ErrExists},
		"no name":        {"10000003", func(_ context.CancelFunc, c *provision.Change) error { c.DeviceID = "../x"; return nil }, gateway.ErrInvalid},
		"another key":    {"10000004", func(_ context.CancelFunc, c *provision.Change) error { c.Claim.SPKI[0]++; return nil }, gateway.ErrInvalid},
		"no key":         {"10000005", func(_ context.CancelFunc, c *provision.Change) error { c.Credentials[0].PEM = "x"; return nil }, gateway.ErrInvalid},
		"no credentials": {"10000006", func(_ context.CancelFunc, c *provision.Change) error { c.Credentials = c.Credentials[:0]; return nil }, gateway.ErrInvalid},
		"no device":      {"10000007", func(_ context.CancelFunc, c *provision.Change) error { c.Credentials = nil; return nil }, gateway.ErrInvalid},
		"no state":       {"10000008", func(_ context.CancelFunc, c *provision.Change) error { c.Claim.State = "GRANTED"; return nil }, gateway.ErrInvalid},
		"four credentials": {"10000009", func(_ context.CancelFunc, c *provision.Change) error {
			k := c.Credentials[0]
			c.Credentials = []gateway.Credential{k, k, k, k}
			return nil
		}, gateway.ErrInvalid},
		"not canonical":      {"1000abcd", func(context.CancelFunc, *provision.Change) error { return nil }, gateway.ErrInvalid},
		"not a serial":       {"1000 0010", func(context.CancelFunc, *provision.Change) error { return nil }, gateway.ErrInvalid},
		"serial of 10 KB":    {string(make([]byte, 10<<10)), func(context.CancelFunc, *provision.Change) error { return nil }, gateway.ErrInvalid},
		"database is quoted": {"1'; DROP TABLE provision_claims; --", func(context.CancelFunc, *provision.Change) error { return nil }, gateway.ErrInvalid},
	} {
		ctx, stop := context.WithCancel(t.Context())
		b := newBoard(t, c.serial)
		before := audited()
		got, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(provision.Known) (*provision.Change, error) {
			change := b.change()
			return change, c.change(stop, change)
		})
		stop()
		if !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, c.want)
		}
		if _, err := o.Provisioning.Claim(t.Context(), o.profile, c.serial); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s: there is a claim, %v", name, err)
		}
		if n := audited(); n != before {
			t.Errorf("%s: it is in the audit log", name)
		}
	}
	list, _, err := o.Devices(t.Context(), o.key, gateway.DeviceFilter{}, gateway.Page{})
	if err != nil || names(list) != "d-TAKEN" {
		t.Errorf("devices %s, %v", names(list), err)
	}
	b := newBoard(t, "10000001")
	if _, err := o.Settle(t.Context(), "nowhere", b.Unit, b.spki, b.insist); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("no profile: %v, want ErrNotFound", err)
	}
	if c, err := o.Settle(t.Context(), o.profile, b.Unit, b.spki, func(provision.Known) (*provision.Change, error) { return nil, nil }); c != nil || err != nil {
		t.Errorf("nothing to change of nothing: %+v, %v", c, err)
	}
	o.grant(t, b)
}

// A key is one device's: of the claims, and of what operators registered.
func oneKeyOneDevice(t *testing.T, w *world) {
	o := newOffice(t, w)
	elsewhere := newOffice(t, newWorld(t, w.Store, w.open))
	ctx := t.Context()
	refused := func(what string, o *office, b *board, owner string) {
		t.Helper()
		_, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(k provision.Known) (*provision.Change, error) {
			if k.KeyOwner != owner {
				t.Errorf("%s: the key is %q's, want %q", what, k.KeyOwner, owner)
			}
			return b.change(), nil
		})
		if !errors.Is(err, gateway.ErrExists) {
			t.Errorf("%s: %v, want ErrExists", what, err)
		}
	}
	as := func(b *board, serial string) *board {
		other := *b
		other.Unit = provision.Unit{Serial: serial}
		return other.certified(t)
	}
	first := newBoard(t, "10000001")
	o.grant(t, first)
	refused("another serial", o, as(first, "10000002"), "10000001")
	refused("another profile", elsewhere, as(first, "10000001"), "10000001")

	byHand := newBoard(t, "10000003")
	o.createAs(t, &gateway.Device{Key: o.device("by-hand"), Credentials: []gateway.Credential{{Format: gateway.RSAPEM, PEM: "no key"}, byHand.bare(t)}})
	refused("an operator's device", elsewhere, byHand, "by-hand")
	later := newBoard(t, "10000004")
	if _, err := o.UpdateDevice(ctx, "tester", o.device("by-hand"), func(d *gateway.Device) error { d.Credentials = []gateway.Credential{later.credential()}; return nil }); err != nil {
		t.Fatal(err)
	}
	refused("registered later", o, later, "by-hand")
	o.grant(t, byHand) // whose key was taken away from there
	if err := o.DeleteDevice(ctx, "tester", o.device("by-hand")); err != nil {
		t.Fatal(err)
	}
	o.grant(t, later)

	// The key that Settle was not told of counts too.
	if _, err := o.Settle(ctx, o.profile, provision.Unit{Serial: "10000005"}, [32]byte{}, func(k provision.Known) (*provision.Change, error) {
		c := as(first, "10000005").change()
		return c, nil
	}); !errors.Is(err, gateway.ErrExists) {
		t.Errorf("a key that comes with the decision: %v, want ErrExists", err)
	}

	// And of two that come at once with one key, one has it.
	shared := newBoard(t, "")
	var grants atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		b, through := as(shared, serial(i)), o.Provisioning
		if i%2 == 1 {
			through = w.open(t).Provisioning()
		}
		all.Go(func() {
			if _, err := through.Settle(ctx, o.profile, b.Unit, b.spki, b.insist); err == nil {
				grants.Add(1)
			} else if !errors.Is(err, gateway.ErrExists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if grants.Load() != 1 {
		t.Errorf("%d have the key", grants.Load())
	}
}

// A device that was deleted or blocked stays so, whatever comes with its serial.
func deletedAndBlocked(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	b := newBoard(t, "10000001")
	first := o.grant(t, b)
	if err := o.DeleteDevice(ctx, "tester", first.Device); err != nil {
		t.Fatal(err)
	}
	insist := func(what string, b *board, want error) {
		t.Helper()
		_, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(k provision.Known) (*provision.Change, error) {
			if k.Device != nil {
				t.Errorf("%s: known is %+v", what, k.Device)
			}
			return b.change(), nil
		})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	again := newBoard(t, b.Serial)
	insist("deleted, the same key", b, gateway.ErrNotFound)
	insist("deleted, another key", again, gateway.ErrNotFound)
	if c, err := o.Provisioning.Claim(ctx, o.profile, b.Serial); err != nil || c.Number != first.Number || c.Device != first.Device {
		t.Errorf("the claim stays: %+v, %v", c, err)
	}
	o.create(t, first.Device.Device) // another device, of the same name
	insist("deleted, and its name given to another", again, gateway.ErrNotFound)
	if err := o.Reset(ctx, "tester", o.profile, b.Serial); err != nil {
		t.Fatal(err)
	}
	insist("reset, its name another's", again, gateway.ErrExists)
	if err := o.DeleteDevice(ctx, "tester", first.Device); err != nil {
		t.Fatal(err)
	}
	second := o.grant(t, again)
	if second.Number == first.Number {
		t.Error("a new device has the number of the old one")
	}

	block := func(d *gateway.Device) error { d.Blocked = true; return nil }
	if _, err := o.UpdateDevice(ctx, "tester", second.Device, block); err != nil {
		t.Fatal(err)
	}
	third := newBoard(t, b.Serial)
	if _, err := o.Settle(ctx, o.profile, third.Unit, third.spki, func(k provision.Known) (*provision.Change, error) {
		if k.Device == nil || !k.Device.Blocked {
			t.Errorf("known is %+v", k.Device)
		}
		return third.change(), nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := o.Reset(ctx, "tester", o.profile, b.Serial); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(k provision.Known) (*provision.Change, error) {
		if k.Claim != nil || k.Device == nil || !k.Device.Blocked {
			t.Errorf("reset: known is %+v, %+v", k.Claim, k.Device)
		}
		return b.change(), nil
	}); err != nil {
		t.Fatal(err)
	}
	if d, err := o.Device(ctx, second.Device); err != nil || !d.Blocked || d.Number != second.Number {
		t.Errorf("it is unblocked: %+v, %v", d, err)
	}
	if b := newBoard(t, "10000002"); true {
		c := b.change()
		c.Blocked = true
		claim, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(provision.Known) (*provision.Change, error) { return c, nil })
		if err != nil {
			t.Fatal(err)
		}
		if d, err := o.Device(ctx, claim.Device); err != nil || !d.Blocked {
			t.Errorf("made blocked: %+v, %v", d, err)
		}
	}
}

// A profile takes MaxDevices and not one more, whoever comes at once.
func maxDevices(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	o.put(t, &provision.Profile{Revision: 1, MaxDevices: 3})
	through := []*registry.Provisioning{o.Provisioning, w.open(t).Provisioning()}
	var grants atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		b := newBoard(t, serial(i))
		all.Go(func() {
			if _, err := through[i%2].Settle(ctx, o.profile, b.Unit, b.spki, b.decide); err == nil {
				grants.Add(1)
			} else if !errors.Is(err, errRefused) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := o.granted(t); n != 3 || grants.Load() != 3 {
		t.Errorf("%d devices of %d grants, want 3", n, grants.Load())
	}
	b := newBoard(t, "10000001")
	if _, err := o.Settle(ctx, o.profile, b.Unit, b.spki, b.insist); !errors.Is(err, gateway.ErrFull) {
		t.Errorf("one that insists: %v, want ErrFull", err)
	}
	list, _, err := o.Claims(ctx, o.profile, provision.Claimed, gateway.Page{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Reset(ctx, "tester", o.profile, list[0].Unit.Serial); err != nil {
		t.Fatal(err)
	}
	o.grant(t, b) // it has made room
}
