package registry_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

func sum(data []byte) [32]byte { return sha256.Sum256(data) }

func fromYear(year int) time.Time { return time.Date(year, 1, 2, 3, 4, 5, 6000, time.UTC) }

// A renewal's two credentials overlap until the newer one is used.
func renewal(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	old := newBoard(t, "10000001")
	first := o.grant(t, old)
	used := func(b *board, c gateway.Credential, state provision.ClaimState, credentials int) {
		t.Helper()
		if err := o.Used(ctx, first.Number, c, fromYear(2026)); err != nil {
			t.Fatal(err)
		}
		got, err := o.Provisioning.Claim(ctx, o.profile, old.Serial)
		if err != nil || got.State != state || len(o.credentials(t, first)) != credentials {
			t.Errorf("%s with %d credentials, %v; want %s with %d", got.State, len(o.credentials(t, first)), err, state, credentials)
		}
	}
	fresh := newBoard(t, old.Serial)
	used(fresh, fresh.credential(), provision.Claimed, 1) // a key that the device has not
	used(old, gateway.Credential{Format: gateway.ES256PEM, PEM: "no key"}, provision.Claimed, 1)
	renew := fresh.change()
	renew.Claim.State, renew.Claim.Previous, renew.Action = provision.Active, old.certificate, "provision_renew"
	renew.Credentials = append(renew.Credentials, old.credential())
	used(old, old.credential(), provision.Active, 1)
	if _, err := o.Settle(ctx, o.profile, fresh.Unit, fresh.spki, func(k provision.Known) (*provision.Change, error) {
		if k.Claim.State != provision.Active || k.KeyOwner != "" {
			t.Errorf("known: %+v", k)
		}
		return renew, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, der := range [][]byte{old.certificate, fresh.certificate} {
		if c, err := o.ClaimOf(ctx, sum(der)); err != nil || c.Unit.Serial != old.Serial {
			t.Errorf("while both count: %+v, %v", c, err)
		}
	}
	thief := newBoard(t, "10000002")
	thief.key = old.key
	if _, err := o.settle(t, thief.certified(t)); !errors.Is(err, errRefused) {
		t.Errorf("P11: the previous key is another unit's: %v", err)
	}
	heard := o.listen(t, o.Store)
	used(old, old.credential(), provision.Active, 2)
	used(fresh, fresh.bare(t), provision.Active, 1) // the newest, by its key
	next(t, heard, first.Number, gateway.DeviceChanged)
	if got := o.credentials(t, first); !cmp.Equal(got, []gateway.Credential{fresh.credential()}) {
		t.Errorf("what stays: %+v", got)
	}
	if _, err := o.ClaimOf(ctx, sum(old.certificate)); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("the previous certificate: %v, want ErrNotFound", err)
	}
	audited := len(o.actions(t, "provision_active")) + len(o.actions(t, "provision_renewed"))
	used(fresh, fresh.credential(), provision.Active, 1)
	used(old, old.credential(), provision.Active, 1)
	if n := len(o.actions(t, "provision_active")) + len(o.actions(t, "provision_renewed")); n != audited || n != 2 {
		t.Errorf("%d entries in the audit log, want 2", n)
	}
	if err := o.Used(ctx, 7, old.credential(), time.Now()); err != nil {
		t.Errorf("a device of no claim: %v", err)
	}
}

// A certificate for the key that the unit has already outlives the one before it too.
func renewalOfTheSameKey(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	b := newBoard(t, "10000001")
	c := o.grant(t, b)
	old := *b
	b.certified(t)
	change := b.change()
	change.Claim.Previous = old.certificate
	change.Credentials = append(change.Credentials, old.credential(), newBoard(t, "by hand").bare(t))
	if _, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(provision.Known) (*provision.Change, error) { return change, nil }); err != nil {
		t.Fatal(err)
	}
	if err := o.Used(ctx, c.Number, b.credential(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := o.credentials(t, c); !cmp.Equal(got, []gateway.Credential{b.credential(), change.Credentials[2]}) {
		t.Errorf("what stays: %+v", got)
	}
}

// A claim that is reset leaves its key worth nothing, at once; its device is the unit's
// again when it claims again.
func resets(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	b := newBoard(t, "10000001")
	c := o.grant(t, b)
	if err := o.Used(ctx, c.Number, b.credential(), time.Now()); err != nil {
		t.Fatal(err)
	}
	heard := o.listen(t, w.open(t))
	if err := o.Reset(ctx, "tester", o.profile, b.Serial); err != nil {
		t.Fatal(err)
	}
	next(t, heard, c.Number, gateway.DeviceChanged)
	if got := o.credentials(t, c); got != nil {
		t.Errorf("its credentials are %+v", got)
	}
	if _, err := o.Provisioning.Claim(ctx, o.profile, b.Serial); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("the claim: %v, want ErrNotFound", err)
	}
	if _, err := o.ClaimOf(ctx, sum(b.certificate)); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("its certificate: %v, want ErrNotFound", err)
	}
	if list, _, err := o.Claims(ctx, o.profile, "", gateway.Page{}); len(list) != 0 || err != nil {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if err := o.Reset(ctx, "tester", o.profile, b.Serial); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("twice: %v, want ErrNotFound", err)
	}
	if err := o.Used(ctx, c.Number, b.credential(), time.Now()); err != nil {
		t.Errorf("used late: %v", err)
	}
	fresh := newBoard(t, b.Serial)
	again := o.grant(t, fresh)
	if again.Number != c.Number || again.State != provision.Claimed || !cmp.Equal(o.credentials(t, again), []gateway.Credential{fresh.credential()}) {
		t.Errorf("claimed again: %+v", again)
	}
	b.Serial = "10000002" // the key is nobody's now
	o.grant(t, b)
	if n := len(o.actions(t, "provision_reset")); n != 1 {
		t.Errorf("%d entries in the audit log", n)
	}
}

func operatorsMoves(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	b := newBoard(t, "10000001")
	pending := &provision.Change{Claim: provision.Claim{Unit: b.Unit, State: provision.Pending, SPKI: b.spki, Reason: "waits"}, Action: "provision_pending", Actor: "the desk"}
	if c, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(provision.Known) (*provision.Change, error) { return pending, nil }); err != nil || c.State != provision.Pending || c.Number != 0 {
		t.Fatalf("%+v, %v", c, err)
	}
	if e := o.actions(t, "provision_pending"); len(e) != 1 || e[0].Actor != "the desk" {
		t.Errorf("audited: %+v", e)
	}
	thief := newBoard(t, "10000002")
	thief.key = b.key
	if _, err := o.settle(t, thief.certified(t)); !errors.Is(err, errRefused) {
		t.Errorf("P11: the key of a unit that waits: %v", err)
	}
	for _, step := range []struct {
		action string
		move   func() (*provision.Claim, error)
		want   provision.ClaimState
		total  int // entries in the audit log of that action
	}{
		{"provision_deny", func() (*provision.Claim, error) { return o.Deny(ctx, "ann", o.profile, b.Serial, "stolen") }, provision.Denied, 1},
		{"provision_deny", func() (*provision.Claim, error) { return o.Deny(ctx, "ann", o.profile, b.Serial, "stolen") }, provision.Denied, 1},
		{"provision_approve", func() (*provision.Claim, error) { return o.Approve(ctx, "ann", o.profile, b.Serial) }, provision.Approved, 1},
		{"provision_approve", func() (*provision.Claim, error) { return o.Approve(ctx, "ann", o.profile, b.Serial) }, provision.Approved, 1},
	} {
		c, err := step.move()
		if err != nil || c.State != step.want || c.SPKI != b.spki {
			t.Errorf("%s: %+v, %v", step.action, c, err)
		}
		if n := len(o.actions(t, step.action)); n != step.total {
			t.Errorf("%s: %d entries in the audit log, want %d", step.action, n, step.total)
		}
	}
	if _, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(k provision.Known) (*provision.Change, error) {
		if k.Claim == nil || k.Claim.State != provision.Approved || k.Profile.Devices != 0 {
			t.Errorf("known: %+v", k)
		}
		return b.change(), nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(ctx, "ann", o.profile, b.Serial); !errors.Is(err, gateway.ErrConflict) {
		t.Errorf("approved when it is claimed: %v, want ErrConflict", err)
	}
	if _, err := o.Deny(ctx, "ann", o.profile, b.Serial, "late"); !errors.Is(err, gateway.ErrConflict) {
		t.Errorf("denied when it is claimed: %v, want ErrConflict", err)
	}
	if _, err := o.Approve(ctx, "ann", o.profile, "10000009"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("no such claim: %v, want ErrNotFound", err)
	}
}

func profiles(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	const secret = "canary-5e12"
	want := &provision.Profile{
		Revision: 1, Bootstrap: []provision.Bootstrap{{Name: "line 1", SHA256: strings.Repeat("ab", 32), NotAfter: fromYear(2040)}}, KeyMode: provision.KeyOnDevice, Lists: true,
		Webhook: &provision.Hook{URL: "https://example.com/", Secret: secret, Timeout: provision.Duration(5 * time.Second)}, DeviceID: "d-{serial}", Again: provision.AgainRefuse,
		Rates: provision.Rates{Address: 7}, Lifetime: provision.Duration(24 * time.Hour), Metadata: map[string]string{"a": "b"},
	}
	kept := o.put(t, want)
	if kept.Revision != 2 || kept.Updated.IsZero() || kept.Webhook.Secret != "" || want.Webhook.Secret != secret {
		t.Errorf("kept: %+v", kept)
	}
	of := func() *provision.Profile {
		t.Helper()
		p, err := o.Profile(ctx, o.profile)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	want.Revision, want.Updated = 2, kept.Updated
	if diff := cmp.Diff(want, of()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := o.PutProfile(ctx, "tester", &provision.Profile{ID: o.profile, Registry: o.key, Revision: 1}); !errors.Is(err, gateway.ErrConflict) {
		t.Errorf("an old revision: %v, want ErrConflict", err)
	}
	if _, err := o.PutProfile(ctx, "tester", &provision.Profile{ID: o.profile, Registry: o.key}); !errors.Is(err, gateway.ErrExists) {
		t.Errorf("made twice: %v, want ErrExists", err)
	}
	o.put(t, kept) // as it was listed, without the secret
	if p := of(); p.Revision != 3 || p.Webhook.Secret != secret {
		t.Errorf("the secret is %q in revision %d", p.Webhook.Secret, p.Revision)
	}
	o.put(t, &provision.Profile{Revision: 3})
	o.put(t, &provision.Profile{Revision: 4, Webhook: &provision.Hook{}})
	if p := of(); p.Webhook.Secret != "" {
		t.Error("the secret of a webhook that was taken away is back")
	}
	for name, p := range map[string]*provision.Profile{
		"name":     {ID: "1", Registry: o.key},
		"registry": {ID: "profile", Registry: gateway.RegistryKey{Project: "p-1", Location: "us-central1", Registry: "nowhere"}},
		"size":     {ID: "profile", Registry: o.key, Metadata: map[string]string{"a": strings.Repeat("x", 1<<20)}},
		"time":     {ID: "profile", Registry: o.key, Bootstrap: []provision.Bootstrap{{NotAfter: fromYear(10_000)}}},
	} {
		if _, err := o.PutProfile(ctx, "tester", p); !errors.Is(err, gateway.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	for _, id := range []string{"nowhere", "1", "-1", ""} {
		if _, err := o.Profile(ctx, id); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", id, err)
		}
		if err := o.DeleteProfile(ctx, "tester", id); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("deleted %s: %v, want ErrNotFound", id, err)
		}
	}

	// While there is a claim it stays; then it goes with its lists.
	b := newBoard(t, "10000001")
	c := o.grant(t, b)
	if _, err := o.Enlist(ctx, "tester", o.profile, provision.Deny, serials("10000002")); err != nil {
		t.Fatal(err)
	}
	if err := o.DeleteProfile(ctx, "tester", o.profile); !errors.Is(err, gateway.ErrInUse) {
		t.Errorf("with a claim: %v, want ErrInUse", err)
	}
	if err := o.Reset(ctx, "tester", o.profile, b.Serial); err != nil {
		t.Fatal(err)
	}
	if err := o.DeleteProfile(ctx, "tester", o.profile); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Profile(ctx, o.profile); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("deleted: %v, want ErrNotFound", err)
	}
	o.put(t, &provision.Profile{})
	if l, err := o.Listed(ctx, o.profile, provision.Unit{Serial: "10000002"}); err != nil || l.Denied {
		t.Errorf("the lists of the one before: %+v, %v", l, err)
	}
	if _, err := o.Device(ctx, c.Device); err != nil {
		t.Errorf("the device of a profile that was deleted: %v", err)
	}
	seen := map[string]int{}
	for page := (gateway.Page{Size: 1}); ; {
		list, next, err := o.Profiles(ctx, page)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d profiles, %v", len(list), err)
		}
		seen[list[0].ID]++
		if page.Token = next; next == "" {
			break
		}
	}
	if seen[o.profile] != 1 {
		t.Errorf("listed %v", seen)
	}
}

func listed(list ...provision.Entry) iter.Seq2[provision.Entry, error] {
	return func(yield func(provision.Entry, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func serials(list ...string) iter.Seq2[provision.Entry, error] {
	var entries []provision.Entry
	for _, s := range list {
		entries = append(entries, provision.Entry{Serial: s})
	}
	return listed(entries...)
}

// A unit is denied by its serial or any of its MACs, and deny wins.
func denyWins(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	secret, other := sum([]byte("secret")), sum([]byte("other"))
	enlist := func(list provision.List, entries ...provision.Entry) {
		t.Helper()
		if n, err := o.Enlist(ctx, "tester", o.profile, list, listed(entries...)); n != len(entries) || err != nil {
			t.Fatalf("%d added, %v", n, err)
		}
	}
	enlist(provision.Allow, provision.Entry{Serial: "SN-1", Secret: secret[:]}, provision.Entry{Serial: "SN-2"}, provision.Entry{Serial: "SN-3"},
		provision.Entry{MAC: "02:00:00:00:00:01"}, provision.Entry{MAC: "02:00:00:00:00:02", Secret: other[:]})
	enlist(provision.Deny, provision.Entry{Serial: "SN-3"}, provision.Entry{Serial: "SN-4"}, provision.Entry{MAC: "02:00:00:00:00:03"}, provision.Entry{Serial: "02-00-00-00-00-02"})
	for _, c := range []struct {
		unit    string // serial, MACs
		allowed bool
		denied  bool
		secret  []byte
	}{
		{"S1", true, false, secret[:]},
		{"S2", true, false, nil},
		{"S3", true, true, nil}, // on both
		{"S4", false, true, nil},
		{"S5", false, false, nil},
		{"S5 M1", true, false, nil},
		{"S5 M9 M1", true, false, nil},
		{"S1 M2", true, false, secret[:]}, // the serial's secret
		{"S2 M2", true, false, nil},       // who has the secret of a MAC has not that of any serial
		{"S1 M3", true, true, secret[:]},
		{"S1 M9 M3", true, true, secret[:]},
		{"02-00-00-00-00-01", false, false, nil}, // a serial that looks like a MAC
		{"S5 M2", true, false, other[:]},
		{"02-00-00-00-00-02", false, true, nil},
	} {
		parts := strings.Fields(strings.NewReplacer("S", "SN-", "M", "02:00:00:00:00:0").Replace(c.unit))
		u := provision.Unit{Serial: parts[0], MACs: parts[1:]}
		l, err := o.Listed(ctx, o.profile, u)
		if err != nil || l.Allowed != c.allowed || l.Denied != c.denied || !bytes.Equal(l.Secret, c.secret) {
			t.Errorf("%s: %+v, %v", c.unit, l, err)
		}
		if _, err := o.Settle(ctx, o.profile, u, [32]byte{}, func(k provision.Known) (*provision.Change, error) {
			if !cmp.Equal(k.Listing, l) {
				t.Errorf("%s: decided on %+v", c.unit, k.Listing)
			}
			return nil, errRefused
		}); !errors.Is(err, errRefused) {
			t.Error(err)
		}
	}
	elsewhere := newOffice(t, newWorld(t, w.Store, w.open))
	if l, err := elsewhere.Listed(ctx, elsewhere.profile, provision.Unit{Serial: "SN-3", MACs: []string{"02:00:00:00:00:01", "02:00:00:00:00:03"}}); err != nil || l.Allowed || l.Denied {
		t.Errorf("through another profile: %+v, %v", l, err)
	}
	if n, err := o.Delist(ctx, "tester", o.profile, provision.Deny, listed(provision.Entry{Serial: "SN-3"}, provision.Entry{MAC: "02:00:00:00:00:04"}, provision.Entry{Serial: "SN-3"})); n != 1 || err != nil {
		t.Errorf("%d removed, %v, want 1", n, err)
	}
	if l, err := o.Listed(ctx, o.profile, provision.Unit{Serial: "SN-3"}); err != nil || !l.Allowed || l.Denied {
		t.Errorf("taken off: %+v, %v", l, err)
	}
	if _, err := o.Listed(ctx, o.profile, provision.Unit{Serial: "SN-1", MACs: make([]string, 17)}); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("17 MACs: %v, want ErrInvalid", err)
	}
	for name, u := range map[string]provision.Unit{"serial": {Serial: "sn-3"}, "blank": {Serial: "SN-3 "}, "MAC": {Serial: "SN-1", MACs: []string{"02-00-00-00-00-03"}}} {
		if _, err := o.Listed(ctx, o.profile, u); !errors.Is(err, gateway.ErrInvalid) {
			t.Errorf("P5: a %s in another spelling: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := o.Listed(ctx, "nowhere", provision.Unit{Serial: "SN-1"}); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("no profile: %v, want ErrNotFound", err)
	}
}

func entries(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	secret := sum([]byte("secret"))
	all := func(yield func(provision.Entry, error) bool) {
		for i := range 6_000 {
			if !yield(provision.Entry{Serial: serial(i * 7919 % 6_000)}, nil) {
				return
			}
		}
		yield(provision.Entry{MAC: "b8:27:eb:00:00:01", Secret: secret[:]}, nil)
	}
	for _, want := range []int{6_001, 0} {
		if n, err := o.Enlist(ctx, "tester", o.profile, provision.Allow, all); n != want || err != nil {
			t.Errorf("%d added, %v, want %d", n, err, want)
		}
	}
	page, token, err := o.Entries(ctx, o.profile, provision.Allow, gateway.Page{Size: 2})
	if diff := cmp.Diff([]provision.Entry{{MAC: "b8:27:eb:00:00:01", Secured: true}, {Serial: serial(0)}}, page); diff != "" || err != nil || token == "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	n := len(page)
	for last := page[1].Serial; token != ""; last = page[len(page)-1].Serial {
		if page, token, err = o.Entries(ctx, o.profile, provision.Allow, gateway.Page{Size: 500, Token: token}); err != nil || page[0].Serial <= last {
			t.Fatalf("%q after %q, %v", page[0].Serial, last, err)
		}
		n += len(page)
	}
	if n != 6_001 {
		t.Errorf("%d entries in the pages", n)
	}
	_, token, err = o.Entries(ctx, o.profile, provision.Allow, gateway.Page{Size: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.Entries(ctx, o.profile, provision.Deny, gateway.Page{Token: token}); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("another list's token: %v, want ErrInvalid", err)
	}

	// One that comes again is replaced; of one that comes twice the last counts.
	if n, err := o.Enlist(ctx, "tester", o.profile, provision.Allow, listed(provision.Entry{MAC: "b8:27:eb:00:00:01"}, provision.Entry{Serial: serial(1)},
		provision.Entry{Serial: "N001"}, provision.Entry{Serial: serial(1), Secret: secret[:]}, provision.Entry{Serial: "N001", Secret: secret[:]})); n != 1 || err != nil {
		t.Errorf("%d added, %v, want 1", n, err)
	}
	for unit, want := range map[string][]byte{serial(1): secret[:], "N001": secret[:], serial(2): nil} {
		if l, err := o.Listed(ctx, o.profile, provision.Unit{Serial: unit}); err != nil || !l.Allowed || !bytes.Equal(l.Secret, want) {
			t.Errorf("%s: %+v, %v", unit, l, err)
		}
	}
	if l, err := o.Listed(ctx, o.profile, provision.Unit{Serial: "X000", MACs: []string{"b8:27:eb:00:00:01"}}); err != nil || !l.Allowed || l.Secret != nil {
		t.Errorf("replaced without a secret: %+v, %v", l, err)
	}

	// What is wrong ends it; what came before is there.
	broken := errors.New("line 3 is broken")
	if n, err := o.Enlist(ctx, "tester", o.profile, provision.Deny, func(yield func(provision.Entry, error) bool) {
		_ = yield(provision.Entry{Serial: "B001"}, nil) && yield(provision.Entry{Serial: "B002"}, nil) && yield(provision.Entry{}, broken)
	}); n != 2 || !errors.Is(err, broken) {
		t.Errorf("%d added, %v", n, err)
	}
	for name, e := range map[string]provision.Entry{
		"nothing": {}, "both": {Serial: "A000", MAC: "b8:27:eb:00:00:01"}, "short secret": {Serial: "A000", Secret: secret[:31]}, "long": {Serial: strings.Repeat("A", 129)},
		"control": {MAC: "b8:27:eb:00:00:01\n"}, "space": {Serial: "A00 B"}, "lower case": {Serial: "a000"}, "MAC in capitals": {MAC: "B8:27:EB:00:00:01"}, "MAC with dashes": {MAC: "b8-27-eb-00-00-01"}, "not ASCII": {Serial: "\u0391000"},
	} {
		if n, err := o.Enlist(ctx, "tester", o.profile, provision.Allow, listed(provision.Entry{Serial: fmt.Sprintf("F-%04d", len(name))}, e)); n > 1 || !errors.Is(err, gateway.ErrInvalid) || !strings.Contains(err.Error(), "entry 2") {
			t.Errorf("%s: %d added, %v, want ErrInvalid", name, n, err)
		}
	}
	if _, err := o.Enlist(ctx, "tester", o.profile, provision.Deny, listed(provision.Entry{Serial: "A000", Secret: secret[:]})); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("a secret to deny: %v, want ErrInvalid", err)
	}
	if _, err := o.Enlist(ctx, "tester", o.profile, "grey", listed()); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("a list that is none: %v, want ErrInvalid", err)
	}
	if _, err := o.Enlist(ctx, "tester", "nowhere", provision.Allow, listed()); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("no profile: %v, want ErrNotFound", err)
	}
	if n := len(o.actions(t, "enlist")); n != 2+2+1+1+10 { // 6,001 twice, and what the cases leave
		t.Errorf("%d entries in the audit log, want 16", n)
	}
	if n, err := o.Delist(ctx, "tester", o.profile, provision.Allow, all); n != 6_001 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
}

func claimPages(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	for i := range 5 {
		b := newBoard(t, serial(i))
		if i%2 == 0 {
			o.grant(t, b)
			continue
		}
		if _, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(provision.Known) (*provision.Change, error) {
			return &provision.Change{Claim: provision.Claim{Unit: b.Unit, State: provision.Pending, SPKI: b.spki}, Action: "provision_pending"}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for state, want := range map[provision.ClaimState]string{"": "0 1 2 3 4", provision.Claimed: "0 2 4", provision.Pending: "1 3", provision.Denied: ""} {
		var got []string
		for page := (gateway.Page{Size: 2}); ; {
			list, next, err := o.Claims(ctx, o.profile, state, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range list {
				got = append(got, c.Unit.Serial[len(c.Unit.Serial)-1:])
			}
			if page.Token = next; next == "" {
				break
			}
			if _, _, err := o.Claims(ctx, o.profile, provision.Active, page); !errors.Is(err, gateway.ErrInvalid) {
				t.Errorf("another list's token: %v, want ErrInvalid", err)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", state, got, want)
		}
	}
	if _, _, err := o.Claims(ctx, o.profile, "GRANTED", gateway.Page{}); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("a state that is none: %v, want ErrInvalid", err)
	}
	if _, _, err := o.Claims(ctx, "nowhere", "", gateway.Page{}); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("no profile: %v, want ErrNotFound", err)
	}
}

// Claims are counted by who asked; one that was reset is none.
func askers(t *testing.T, w *world) {
	o, ctx := newOffice(t, w), t.Context()
	for serial, bootstrap := range map[string]string{"10000001": "aa", "10000002": "aa", "10000003": "bb", "10000004": "cc", "10000005": "aa"} {
		b := newBoard(t, serial)
		change := b.change()
		change.Claim.Bootstrap = bootstrap
		if serial == "10000002" {
			change = &provision.Change{Claim: provision.Claim{Unit: b.Unit, State: provision.Pending, SPKI: b.spki, Bootstrap: bootstrap}, Action: "provision_pending"}
		}
		if _, err := o.Settle(ctx, o.profile, b.Unit, b.spki, func(provision.Known) (*provision.Change, error) { return change, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Reset(ctx, "tester", o.profile, "10000005"); err != nil {
		t.Fatal(err)
	}
	got, err := o.Askers(ctx, o.profile, []string{"aa", "dd"})
	if want := []provision.Asker{{Bootstrap: "", State: provision.Claimed, Claims: 2}, {Bootstrap: "aa", State: provision.Claimed, Claims: 1}, {Bootstrap: "aa", State: provision.Pending, Claims: 1}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := o.Askers(ctx, o.profile, nil); err != nil || len(got) != 2 || got[0].Claims != 3 {
		t.Errorf("none named: %+v, %v", got, err)
	}
	if _, err := o.Askers(ctx, "nobody", nil); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("no such profile: %v", err)
	}
}
