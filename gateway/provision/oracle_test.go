package provision_test

import (
	"context"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"iotbridge/gateway/provision"
)

// diary is a store, and what it was asked.
type diary struct {
	provision.Store
	asked []string
}

func (d *diary) Profile(ctx context.Context, id string) (*provision.Profile, error) {
	d.asked = append(d.asked, "profile")
	return d.Store.Profile(ctx, id)
}

func (d *diary) Listed(ctx context.Context, profile string, u provision.Unit) (provision.Listing, error) {
	d.asked = append(d.asked, "lists")
	return d.Store.Listed(ctx, profile, u)
}

func (d *diary) Claim(ctx context.Context, profile, serial string) (*provision.Claim, error) {
	d.asked = append(d.asked, "claim")
	return d.Store.Claim(ctx, profile, serial)
}

func (d *diary) Settle(ctx context.Context, profile string, u provision.Unit, spki [32]byte, decide func(provision.Known) (*provision.Change, error)) (*provision.Claim, error) {
	d.asked = append(d.asked, "transaction")
	return d.Store.Settle(ctx, profile, u, spki, decide)
}

// P3: what a full profile says does not depend on its lists.
func TestP3_AFullProfileTellsNothingOfItsLists(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) { p.Lists, p.MaxDevices = true, 1 })
	c.enlist(provision.Allow, provision.Entry{Serial: "SN-0001"}, provision.Entry{Serial: "SN-FREE"})
	c.enlist(provision.Deny, provision.Entry{Serial: "SN-DENIED"})
	c.granted(c.request("SN-0001", newKey(t)))
	d := &diary{Store: c.office}
	c.Store = d
	for _, serial := range []string{"SN-FREE", "SN-DENIED", "SN-UNKNOWN"} {
		d.asked = nil
		no := c.refused(serial, c.request(serial, newKey(t)), provision.ProfileFull)
		if want := []string{"profile", "claim", "lists"}; no.RetryAfter != time.Hour || !slices.Equal(d.asked, want) {
			t.Errorf("%s: %+v, %q", serial, no, d.asked)
		}
	}
}

// P3: no refusal costs more than another. What could be measured is what is done: an
// unknown serial, one that is denied, one whose secret is wrong and one that is used
// already are told no after the same questions, and none after a transaction, which
// waits for others and for the disk. (A time would be the machine's, not the code's.)
func TestP3_EachRefusalIsTheSameWork(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) {
		p.Lists, p.Secrets, p.KeyMode = true, true, provision.KeyOnDevice
	})
	hash := sha256.Sum256([]byte("secret"))
	var entries []provision.Entry
	for _, serial := range []string{"SN-FREE", "SN-USED", "SN-DENIED", "SN-BLOCKED"} {
		entries = append(entries, provision.Entry{Serial: serial, Secret: hash[:]})
	}
	c.enlist(provision.Allow, entries...)
	c.enlist(provision.Deny, provision.Entry{Serial: "SN-DENIED"})
	proved := func(serial string) provision.Request {
		r := c.request(serial, newKey(t))
		r.ClaimProof = proofOf("secret", r.PublicKey)
		return r
	}
	c.granted(proved("SN-USED"))
	c.block(c.granted(proved("SN-BLOCKED")), true)
	d := &diary{Store: c.office}
	c.Store = d
	for _, row := range []struct {
		serial string
		proved bool
		want   provision.Code
	}{
		{"SN-UNKNOWN", false, provision.NotInAllowList},
		{"SN-UNKNOWN", true, provision.NotInAllowList},
		{"SN-DENIED", false, provision.DeniedByList},
		{"SN-DENIED", true, provision.DeniedByList},
		{"SN-FREE", false, provision.WrongClaimSecret},
		{"SN-USED", false, provision.WrongClaimSecret},
		{"SN-BLOCKED", false, provision.WrongClaimSecret},
		{"SN-USED", true, provision.AlreadyProvisioned},
		{"SN-BLOCKED", true, provision.AlreadyProvisioned},
	} {
		r := c.request(row.serial, newKey(t))
		if row.proved {
			r = proved(row.serial)
		}
		d.asked = nil
		no := c.refused(row.serial, r, row.want)
		if want := []string{"profile", "claim", "lists"}; !slices.Equal(d.asked, want) {
			t.Errorf("%s, %s: %q, want %q", row.serial, row.want, d.asked, want)
		}
		if row.want != provision.AlreadyProvisioned && (no.Code.Shown() != "DENIED" || no.RetryAfter != 0) {
			t.Errorf("%s: told %s", row.serial, no.Code.Shown())
		}
	}
}
