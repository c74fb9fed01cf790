package provision_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

func (c *counter) renew(g *provision.Grant, key *ecdsa.PrivateKey, serial string) (*provision.Grant, error) {
	c.t.Helper()
	return c.Renew(c.t.Context(), presented(c.t, g.Claim.Certificate), spki(c.t, key), provision.Unit{Serial: serial}, netip.MustParseAddr("2001:db9::1"))
}

func (c *counter) renewed(g *provision.Grant, key *ecdsa.PrivateKey) *provision.Grant {
	c.t.Helper()
	next, err := c.renew(g, key, "")
	if err != nil {
		c.t.Fatal(err)
	}
	return next
}

func (c *counter) notRenewed(what string, g *provision.Grant, key *ecdsa.PrivateKey, want provision.Code) {
	c.t.Helper()
	next, err := c.renew(g, key, "")
	refusal(c.t, what, next, err, want)
}

func TestARenewalOverlaps(t *testing.T) {
	c := newCounter(t, nil)
	old, key, theirs := newKey(t), newKey(t), newKey(t)
	c.granted(c.request("SN-0002", theirs))
	first := c.granted(c.request("SN-0001", old))
	c.connected(first)
	c.notRenewed("its own key", first, old, provision.KeyNotAllowed)
	next, err := c.renew(first, key, "SN-0002")
	refusal(t, "another's serial", next, err, provision.BadIdentifiers)

	second := c.renewed(first, key)
	if !second.Fresh || second.Claim.SPKI != sha256.Sum256(spki(t, key)) || !bytes.Equal(second.Claim.Previous, first.Claim.Certificate) || second.Claim.State != provision.Active {
		t.Fatalf("%+v", second)
	}
	credentials := c.device(second).Credentials
	if end := c.Now().Add(24 * time.Hour); len(credentials) != 2 || credentials[0].Expires.After(end) || credentials[0].Expires.Before(end.Add(-time.Hour)) || !credentials[1].Expires.Equal(second.Claim.NotAfter) {
		t.Fatalf("%+v", credentials)
	}
	// The answer was lost: with the same key it is the same, long after too.
	c.past = 48 * time.Hour
	if again := c.renewed(first, key); again.Fresh || !bytes.Equal(again.Claim.Certificate, second.Claim.Certificate) {
		t.Errorf("%+v", again)
	}
	// The new key was lost as well: what never came to use goes.
	third := c.renewed(first, newKey(t))
	if got := c.device(third).Credentials; len(got) != 2 || got[0].Expires.After(c.Now()) {
		t.Errorf("%+v", got)
	}
	c.notRenewed("one that was never used", second, newKey(t), provision.NoCertificate)
	c.connected(third)
	if got := c.device(third).Credentials; len(got) != 1 {
		t.Errorf("the previous one stays: %+v", got)
	}
	c.notRenewed("with the previous one", first, newKey(t), provision.NoCertificate)
	c.notRenewed("with the key of another unit", third, theirs, provision.AlreadyProvisioned)
}

// hexOf is how certificates are pinned.
func hexOf(sum []byte) string { return hex.EncodeToString(sum) }

func TestWhoMayNotRenew(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) { p.Lifetime = provision.Duration(24 * time.Hour) })
	g := c.granted(c.request("SN-0001", newKey(t)))
	c.block(g, true)
	c.notRenewed("blocked", g, newKey(t), provision.DeviceBlocked)
	c.block(g, false)
	c.put(func(p *provision.Profile) { p.Disabled = true })
	c.notRenewed("the profile is disabled", g, newKey(t), provision.ProfileDisabled)
	c.put(func(p *provision.Profile) { p.Disabled = false })
	key := newKey(t)
	kept := c.granted(c.request("SN-0003", newKey(t)))
	c.renewed(kept, key)
	c.put(func(p *provision.Profile) { p.Disabled = true })
	if again := c.renewed(kept, key); again.Fresh { // its answer was lost: nothing is granted by it
		t.Errorf("%+v", again)
	}
	c.put(func(p *provision.Profile) { p.Disabled = false })
	c.enlist(provision.Deny, provision.Entry{Serial: "SN-0001"})
	c.notRenewed("denied", g, newKey(t), provision.DeniedByList)
	g = c.granted(c.request("SN-0002", newKey(t)))
	c.past = 25 * time.Hour
	c.notRenewed("expired", g, newKey(t), provision.NoCertificate)
	c.past = 0
	take := func(credentials ...gateway.Credential) {
		t.Helper()
		if _, err := c.store.UpdateDevice(t.Context(), "test", g.Claim.Device, func(d *gateway.Device) error { d.Credentials = credentials; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	own := c.device(g).Credentials[0]
	take()
	c.notRenewed("its credential was taken away", g, newKey(t), provision.DeviceBlocked)
	by := func() gateway.Credential {
		return gateway.Credential{Format: gateway.ES256PEM, PEM: armoured("PUBLIC KEY", spki(t, newKey(t)))}
	}
	take(own, by(), by())
	c.notRenewed("no room", g, newKey(t), provision.KeyNotAllowed)
	expired := by()
	expired.Expires = time.Now().Add(-time.Hour)
	take(own, by(), expired)
	if got := c.device(c.renewed(g, newKey(t))).Credentials; len(got) != 3 {
		t.Errorf("%+v", got)
	}
	c.reset("SN-0002")
	c.notRenewed("reset", g, newKey(t), provision.NoCertificate)
}

// P15: each certificate is good for one thing.
func TestP15_WhatIsNoDevicesCertificate(t *testing.T) {
	c := newCounter(t, nil)
	g := c.granted(c.request("SN-0001", newKey(t)))
	other := newCounter(t, nil)
	for what, p := range map[string]provision.Presented{
		"none": {}, "a bootstrap certificate": c.by, "the authority": presented(t, c.Authority.Current().Certificate.Raw),
		"another gateway's": presented(t, other.granted(other.request("SN-0001", newKey(t))).Claim.Certificate),
		"signed in vain":    presented(t, issued(t, c.Authority.Current(), "d-SN-0001").Certificate[0]),
	} {
		claim, err := c.Self(t.Context(), p)
		if claim != nil {
			t.Errorf("%s: %+v", what, claim)
		}
		refusal(t, what, nil, err, provision.NoCertificate)
	}
	if claim, err := c.Self(t.Context(), presented(t, g.Claim.Certificate)); err != nil || claim.Unit.Serial != "SN-0001" {
		t.Error(claim, err)
	}
	// An operator's mistake does not make devices ask.
	c.put(func(p *provision.Profile) {
		sum := sha256.Sum256(g.Claim.Certificate)
		p.Bootstrap = append(p.Bootstrap, provision.Bootstrap{SHA256: hexOf(sum[:])})
	})
	r := c.request("SN-0002", newKey(t))
	r.Bootstrap = presented(t, g.Claim.Certificate)
	c.refused("a device's", r, provision.UnknownBootstrap)
}

// An authority that follows another knows what that has issued.
func TestAnAuthorityBefore(t *testing.T) {
	c := newCounter(t, nil)
	g := c.granted(c.request("SN-0001", newKey(t)))
	before := c.Authority.Current()
	c.Authority = newDevices(t)
	c.notRenewed("without", g, newKey(t), provision.NoCertificate)
	c.Authority.Current().Before = append(c.Authority.Current().Before, before.Certificate)
	next := c.renewed(g, newKey(t))
	if err := c.Authority.Current().Verify(presented(t, next.Claim.Certificate), time.Now()); err != nil {
		t.Error(err)
	}
}

func TestRenewalsHaveARate(t *testing.T) {
	c := newCounter(t, nil)
	g := c.granted(c.request("SN-0001", newKey(t)))
	r, key := presented(t, g.Claim.Certificate), spki(t, newKey(t))
	from := netip.MustParseAddr("2001:db9::1")
	for range 600 {
		if _, err := c.Renew(context.Background(), r, key, provision.Unit{Serial: "SN-0009"}, from); err == nil {
			t.Fatal("another's serial")
		}
		from = from.Next()
	}
	next, err := c.Renew(t.Context(), r, key, provision.Unit{}, from)
	refusal(t, "one network", next, err, provision.TooMany)
}
