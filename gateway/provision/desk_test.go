package provision_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sync/errgroup"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// B69, P2: a lost answer is asked for again, and is the same, after a restart too.
func TestB69_P2_TheSameKeyIsToldTheSame(t *testing.T) {
	c := newCounter(t, nil)
	key := newKey(t)
	first := c.granted(c.request("SN-0001", key))
	if !first.Fresh || first.PrivateKey != nil || first.Claim.State != provision.Claimed || first.Claim.Device.Device != "d-SN-0001" {
		t.Fatalf("%+v", first)
	}
	for _, when := range []string{"at once", "after a restart", "when it has connected", "when it expired"} {
		switch when {
		case "after a restart":
			if err := c.store.Close(); err != nil {
				t.Fatal(err)
			}
			c.open()
		case "when it has connected":
			c.connected(first)
		case "when it expired":
			c.past = 2 * 365 * 24 * time.Hour
			c.put(func(p *provision.Profile) { p.Bootstrap[0].NotAfter = time.Now().Add(3 * 365 * 24 * time.Hour) })
		}
		again := c.granted(c.request("SN-0001", key))
		if again.Fresh || !bytes.Equal(again.Claim.Certificate, first.Claim.Certificate) || again.Claim.Number != first.Claim.Number {
			t.Errorf("%s: %+v", when, again)
		}
	}
	if d := c.devices(); len(d) != 1 || len(d[0].Credentials) != 1 {
		t.Errorf("devices: %+v", d)
	}
}

// P2, B74: another key for a serial, by the profile's policy.
func TestP2_B74_AnotherKey(t *testing.T) {
	for _, row := range []struct {
		policy                      provision.Again
		waiting, connected, expired bool // whether it is replaced then
	}{
		{provision.AgainRefuse, false, false, false},
		{provision.AgainNeverConnected, true, false, false},
		{provision.AgainExpired, false, false, true},
		{provision.AgainReplace, true, true, true},
	} {
		t.Run(string(row.policy), func(t *testing.T) {
			c := newCounter(t, func(p *provision.Profile) {
				p.Again, p.Lifetime = row.policy, provision.Duration(time.Hour)
			})
			last := c.granted(c.request("SN-0001", newKey(t)))
			try := func(when string, replaced bool) {
				t.Helper()
				before := c.alarms("duplicate_serial")
				r := c.request("SN-0001", newKey(t))
				if !replaced {
					c.refused(when, r, provision.AlreadyProvisioned)
					if c.alarms("duplicate_serial") != before+1 {
						t.Errorf("%s: no alarm", when)
					}
					return
				}
				next := c.granted(r)
				if d := c.device(next); !next.Fresh || next.Claim.Number != last.Claim.Number || len(d.Credentials) != 1 || next.Claim.SPKI != sha256.Sum256(r.PublicKey) {
					t.Errorf("%s: %+v, %d credentials", when, next, len(d.Credentials))
				}
				last = next
			}
			try("never connected", row.waiting)
			c.connected(last)
			try("connected", row.connected)
			if row.connected {
				c.connected(last)
			}
			c.past = 2 * time.Hour
			try("expired", row.expired)
			if len(c.devices()) != 1 {
				t.Error("there is a second device")
			}
		})
	}
}

// B74: the answer that held the only copy of a key may be lost; from the first
// connection on it was not.
func TestB74_AKeyThatWasMadeHere(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) { p.KeyMode = provision.KeyOnServer })
	first := c.granted(c.request("SN-0001", nil))
	next := c.granted(c.request("SN-0001", nil))
	if !next.Fresh || len(next.PrivateKey) == 0 || bytes.Equal(first.PrivateKey, next.PrivateKey) || len(c.device(next).Credentials) != 1 {
		t.Errorf("%+v", next)
	}
	if next.Forget(); bytes.ContainsFunc(next.PrivateKey, func(r rune) bool { return r != 0 }) {
		t.Error("the key is not forgotten")
	}
	c.connected(next)
	c.refused("after it connected", c.request("SN-0001", nil), provision.AlreadyProvisioned)
	c.refused("a key of its own", c.request("SN-0002", newKey(t)), provision.KeyNotAllowed)

	// Of either kind: the key that waits may be the board's.
	c = newCounter(t, nil)
	c.granted(c.request("SN-0001", newKey(t)))
	c.refused("made here instead", c.request("SN-0001", nil), provision.AlreadyProvisioned)
	c.put(func(p *provision.Profile) { p.KeyMode = provision.KeyOnDevice })
	c.refused("made here", c.request("SN-0002", nil), provision.KeyNotAllowed)
}

// B72, P4: one of a hundred that ask for a serial at once.
func TestB72_P4_AHundredAtOnce(t *testing.T) {
	c := newCounter(t, nil)
	var fresh, taken int
	requests, answers := make([]provision.Request, 100), make(chan error, 100)
	for i := range requests {
		requests[i] = c.request("SN-0001", newKey(t))
	}
	var group errgroup.Group
	for _, r := range requests {
		group.Go(func() error {
			_, err := c.Enroll(t.Context(), r)
			answers <- err
			return nil
		})
	}
	group.Wait()
	close(answers)
	for err := range answers {
		var no *provision.Refusal
		switch {
		case err == nil:
			fresh++
		case errors.As(err, &no) && no.Code == provision.AlreadyProvisioned:
			taken++
		default:
			t.Error(err)
		}
	}
	if d := c.devices(); fresh != 1 || taken != 99 || len(d) != 1 || len(d[0].Credentials) != 1 {
		t.Errorf("%d granted, %d refused, devices %+v", fresh, taken, d)
	}
}

// P6, B73: deny wins, and an empty allow list denies all.
func TestP6_B73_Lists(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) { p.Lists = true })
	const mac, other = "b8:27:eb:00:00:01", "b8:27:eb:00:00:02"
	request := func(serial string, macs ...string) provision.Request {
		r := c.request(serial, newKey(t))
		r.Unit.MACs = macs
		return r
	}
	c.refused("an empty list", request("SN-0001", mac), provision.NotInAllowList)
	c.enlist(provision.Allow, provision.Entry{Serial: "SN-0001"}, provision.Entry{MAC: other}, provision.Entry{Serial: "SN-0003"}, provision.Entry{Serial: "SN-0004"})
	c.enlist(provision.Deny, provision.Entry{Serial: "SN-0003"}, provision.Entry{MAC: mac})
	c.refused("allowed and denied", request("SN-0003"), provision.DeniedByList)
	c.refused("denied by its MAC", request("sn-0004", "B8-27-EB-00-00-01"), provision.DeniedByList)
	c.refused("not listed", request("SN-0005"), provision.NotInAllowList)
	c.granted(request("sn-0001"))
	c.granted(request("SN-0006", other))
	again := request("SN-0001")
	c.enlist(provision.Deny, provision.Entry{Serial: "SN-0001"})
	c.refused("denied since", again, provision.DeniedByList)
	key := newKey(t)
	named := c.request("SN-0007", key)
	c.enlist(provision.Allow, provision.Entry{Serial: "SN-0007"})
	named.Unit.MACs = []string{"b8:27:eb:00:00:07"}
	c.granted(named)
	c.enlist(provision.Deny, provision.Entry{MAC: "b8:27:eb:00:00:07"})
	c.refused("denied by a MAC that it leaves out by now", c.request("SN-0007", key), provision.DeniedByList)
	if n := len(c.devices()); n != 3 {
		t.Errorf("%d devices", n)
	}
}

func TestAClaimSecretIsProvedOverTheKey(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) {
		p.Lists, p.Secrets, p.KeyMode = true, true, provision.KeyOnDevice
	})
	hash := sha256.Sum256([]byte("secret"))
	c.enlist(provision.Allow, provision.Entry{Serial: "SN-0001", Secret: hash[:]}, provision.Entry{Serial: "SN-0002"})
	r := c.request("SN-0001", newKey(t))
	right := proofOf("secret", r.PublicKey)
	for what, proof := range map[string][]byte{
		"none": nil, "another secret": proofOf("Secret", r.PublicKey), "another key": proofOf("secret", spki(t, newKey(t))), "half": right[:16],
	} {
		r.ClaimProof = proof
		c.refused(what, r, provision.WrongClaimSecret)
	}
	r.ClaimProof = right
	c.granted(r)
	r = c.request("SN-0002", newKey(t))
	for what, proof := range map[string][]byte{"no secret in the list": proofBy(nil, r.PublicKey), "and none proved": nil} {
		r.ClaimProof = proof
		c.refused(what, r, provision.WrongClaimSecret)
	}
}

// P10, P11: no two units have one key, nor a unit that of a device.
func TestP10_P11_OneKeyOneUnit(t *testing.T) {
	c := newCounter(t, nil)
	key, theirs := newKey(t), newKey(t)
	c.granted(c.request("SN-0001", key))
	c.refused("another unit's key", c.request("SN-0002", key), provision.AlreadyProvisioned)
	pem := gateway.Credential{Format: gateway.ES256PEM, PEM: armoured("PUBLIC KEY", spki(t, theirs))}
	if _, err := c.store.CreateDevice(t.Context(), "test", &gateway.Device{Key: gateway.DeviceKey{RegistryKey: fleet, Device: "by-hand"}, Credentials: []gateway.Credential{pem}}); err != nil {
		t.Fatal(err)
	}
	c.refused("a device's key", c.request("SN-0003", theirs), provision.AlreadyProvisioned)
	if n := c.alarms("duplicate_key"); n != 2 || c.alarms("duplicate_serial") != 0 {
		t.Errorf("%v alarms", n)
	}
	if n := len(c.devices()); n != 2 {
		t.Errorf("%d devices", n)
	}
}

// P14: neither blocking nor deleting is undone by asking again.
func TestP14_BlockedAndDeleted(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) { p.Again = provision.AgainReplace })
	key := newKey(t)
	first := c.granted(c.request("SN-0001", key))
	c.block(first, true)
	c.refused("blocked, the same key", c.request("SN-0001", key), provision.DeviceBlocked)
	c.refused("blocked, another key", c.request("SN-0001", newKey(t)), provision.DeviceBlocked)
	c.reset("SN-0001")
	c.refused("reset, and still blocked", c.request("SN-0001", newKey(t)), provision.DeviceBlocked)
	c.block(first, false)
	next := c.granted(c.request("SN-0001", newKey(t)))
	if next.Claim.Number != first.Claim.Number {
		t.Error("another device")
	}
	if err := c.store.DeleteDevice(t.Context(), "test", next.Claim.Device); err != nil {
		t.Fatal(err)
	}
	c.refused("deleted", c.request("SN-0001", newKey(t)), provision.DeviceBlocked)
	c.reset("SN-0001")
	if last := c.granted(c.request("SN-0001", key)); last.Claim.Number == first.Claim.Number {
		t.Error("the deleted device is back")
	}
}

// P1: the rates, and the switch.
func TestP1_RatesAndRevocation(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) { p.Rates = provision.Rates{Certificate: 4, Address: 3, Prefix: 2} })
	c.granted(c.request("SN-0001", newKey(t)))
	c.granted(c.request("SN-0002", newKey(t)))
	if no := c.refused("a prefix", c.request("SN-0003", newKey(t)), provision.TooMany); no.RetryAfter <= 0 || no.RetryAfter > time.Minute {
		t.Errorf("after %s", no.RetryAfter)
	}
	c.granted(c.request("XX-0001", newKey(t)))
	c.refused("an address", c.request("YY-0001", newKey(t)), provision.TooMany)
	r := c.request("ZZ-0001", newKey(t))
	r.From = r.From.Next()
	c.granted(r)
	r = c.request("ZZ-0002", newKey(t))
	r.From = r.From.Next()
	c.refused("a certificate", r, provision.TooMany)
	c.past = 2 * time.Minute
	c.granted(c.request("SN-0003", newKey(t)))

	c.put(func(p *provision.Profile) { p.Bootstrap[0].Revoked = true })
	c.refused("revoked", c.request("VV-0001", newKey(t)), provision.BootstrapRevoked)
	c.put(func(p *provision.Profile) { p.Bootstrap[0].Revoked = false; p.Disabled = true })
	c.refused("disabled", c.request("VV-0001", newKey(t)), provision.ProfileDisabled)
	c.put(func(p *provision.Profile) { p.Disabled, p.MaxDevices = false, len(c.devices()) })
	c.refused("full", c.request("VV-0002", newKey(t)), provision.ProfileFull)
}

// A full profile still answers those that it has.
func TestAFullProfileAnswersItsOwn(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) { p.MaxDevices = 1 })
	key := newKey(t)
	c.granted(c.request("SN-0001", key))
	c.refused("a second", c.request("SN-0002", newKey(t)), provision.ProfileFull)
	if c.granted(c.request("SN-0001", key)).Fresh {
		t.Error("granted twice")
	}
}

func TestApprovalIsOfOneKey(t *testing.T) {
	c := newCounter(t, func(p *provision.Profile) { p.Approval = true })
	key := newKey(t)
	approve := func() {
		t.Helper()
		if _, err := c.office.Approve(t.Context(), "test", "batch", "SN-0001"); err != nil {
			t.Fatal(err)
		}
	}
	c.refused("first", c.request("SN-0001", key), provision.PendingApproval)
	c.refused("again", c.request("SN-0001", key), provision.PendingApproval)
	c.refused("another key", c.request("SN-0001", newKey(t)), provision.AlreadyProvisioned)
	approve()
	c.refused("another key, approved", c.request("SN-0001", newKey(t)), provision.AlreadyProvisioned)
	if len(c.devices()) != 0 {
		t.Fatal("a device before it was granted")
	}
	c.put(func(p *provision.Profile) { p.Again = provision.AgainReplace })
	c.refused("another key takes the place", c.request("SN-0001", newKey(t)), provision.PendingApproval)
	c.refused("and the first again", c.request("SN-0001", key), provision.PendingApproval)
	approve()
	if g := c.granted(c.request("SN-0001", key)); !g.Fresh || g.Claim.State != provision.Claimed {
		t.Errorf("%+v", g)
	}
	c.refused("second", c.request("SN-0002", nil), provision.PendingApproval)
	if _, err := c.office.Deny(t.Context(), "test", "batch", "SN-0002", "who is that"); err != nil {
		t.Fatal(err)
	}
	c.refused("denied", c.request("SN-0002", nil), provision.DeniedByOperator)
}

// P12, P5: what is not a serial goes nowhere.
func TestP5_P12_WhatIsNoUnit(t *testing.T) {
	c := newCounter(t, nil)
	for _, serial := range []string{"", "ABC", "../../etc", "A'; DROP TABLE devices", "{serial}", "SN-0001\r\nX: y", "ＳＮ-0001", "SN_0001"} {
		c.refused(serial, c.request(serial, newKey(t)), provision.BadIdentifiers)
	}
	r := c.request("SN-0001", newKey(t))
	for _, profile := range []string{"", "nothing", "../batch", "batch'", "BATCH"} {
		r.Profile = profile
		c.refused(profile, r, provision.UnknownProfile)
	}
}

// A store that does not answer grants nothing, and says when to ask again.
func TestWithoutTheStoreNothingIsDecided(t *testing.T) {
	c := newCounter(t, nil)
	r := c.request("SN-0001", newKey(t))
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
	if no := c.refused("closed", r, provision.StoreUnavailable); no.RetryAfter == 0 || no.Unwrap() == nil {
		t.Errorf("%+v", no)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Enroll(ctx, r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := testutil.ToFloat64(c.Metrics.Requests.WithLabelValues("CLIENT_GONE")); n != 1 {
		t.Errorf("%v have gone", n)
	}
}
