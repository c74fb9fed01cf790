package provision

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"iotbridge/gateway"
)

// rounds is how often a request is decided from the beginning when what it rests on
// changes meanwhile.
const rounds = 4

// Enroll grants a unit a credential. The error is a *Refusal, or our fault and may
// pass. Request.PublicKey is one that ParseCSR or VerifyProof has accepted.
func (d *Desk) Enroll(ctx context.Context, r Request) (*Grant, error) {
	begin := time.Now()
	grant, err := d.enroll(ctx, &r)
	return grant, d.tell(grant, err, begin, r.Profile, r.Unit.Serial, r.ID)
}

func (d *Desk) enroll(ctx context.Context, r *Request) (*Grant, error) {
	if r.Bootstrap.own() == nil {
		return nil, refuse(NoCertificate, "no client certificate")
	}
	a := &asked{Request: r, now: d.now()}
	for round := range rounds {
		grant, err := d.once(ctx, a, round)
		if !errors.Is(err, errMoved) {
			return grant, err
		}
	}
	return nil, busy("the claim or its profile kept changing", nil)
}

// once decides from the beginning.
func (d *Desk) once(ctx context.Context, a *asked, round int) (*Grant, error) {
	p, err := d.Store.Profile(ctx, a.Profile)
	if errors.Is(err, gateway.ErrNotFound) || errors.Is(err, gateway.ErrInvalid) {
		return nil, refuse(UnknownProfile, "no such profile")
	} else if err != nil {
		return nil, trouble(ctx, err)
	}
	k := &Known{Profile: *p}
	if no := a.profile(k); no != nil {
		return nil, no
	}
	if round == 0 {
		if err := a.canonical(); err != nil {
			return nil, err
		}
		if no := a.key(k); no != nil {
			return nil, no
		}
		if wait := d.limits.take(p, a.Request, a.now); wait > 0 {
			no := refuse(TooMany, "more requests than the profile's rates allow")
			no.RetryAfter = max(wait, time.Second)
			return nil, no
		}
	}
	// All of it is read before the first no: a refusal's time does not tell which.
	if k.Claim, err = d.Store.Claim(ctx, a.Profile, a.Unit.Serial); err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return nil, trouble(ctx, err)
	}
	if err := a.remember(k.Claim); err != nil {
		return nil, err
	}
	if k.Listing, err = d.Store.Listed(ctx, a.Profile, a.Unit); err != nil {
		return nil, moved(ctx, err)
	}
	if _, no := a.judge(k, false); no != nil {
		return nil, no
	}
	// A unit without a claim is looked at whole when it is written; another, and one that
	// its owner's function is asked of, is looked at before.
	if round > 0 || k.Claim != nil || p.Webhook != nil {
		repeated, err := d.look(ctx, a, k)
		if err != nil {
			return nil, err
		}
		if repeated {
			return &Grant{Claim: *k.Claim}, nil
		}
	}
	answer := &verdict{Decision: allow}
	if k.Profile.Webhook != nil {
		if answer, err = d.consult(ctx, a, k); err != nil {
			return nil, err
		}
	}
	return d.commit(ctx, a, k, answer)
}

// look fills k with what is true under the lock, and judges it.
func (d *Desk) look(ctx context.Context, a *asked, k *Known) (repeated bool, err error) {
	_, err = d.Store.Settle(ctx, a.Profile, a.Unit, a.spki, func(now Known) (*Change, error) {
		*k = now
		what, no := a.judge(k, true)
		if no != nil {
			return nil, no
		}
		repeated = what == repeat
		return nil, nil
	})
	if err != nil {
		return false, settled(ctx, &k.Profile, err)
	}
	return repeated, nil
}

// canonical checks what the request's reader should have made so.
func (a *asked) canonical() error {
	u, err := ParseUnit(a.Unit.Serial, a.Unit.MACs)
	if err != nil {
		return err
	}
	a.Unit = u
	if a.PublicKey == nil {
		return nil
	}
	if a.PublicKey, err = ParsePublicKey(a.PublicKey); err != nil {
		return err
	}
	a.spki = sha256.Sum256(a.PublicKey)
	return nil
}

// remember adds the MACs that the unit has named before: who leaves one out does not
// get past the deny list.
func (a *asked) remember(c *Claim) (err error) {
	if c != nil {
		a.Unit, err = ParseUnit(a.Unit.Serial, slices.Concat(a.Unit.MACs, c.Unit.MACs))
	}
	return err
}

// commit writes what the webhook's answer to seen comes to, if seen is still so.
func (d *Desk) commit(ctx context.Context, a *asked, seen *Known, v *verdict) (_ *Grant, err error) {
	next := Claim{Unit: a.Unit, SPKI: a.spki, Bootstrap: a.Bootstrap.SHA256, Reason: v.Reason}
	change := &Change{Detail: "request " + printable(a.ID, maxSubject) + " from " + a.From.String()}
	grant := &Grant{Fresh: true}
	waits := !a.approved(seen) && (v.Decision == pending || seen.Profile.Approval && !seen.Claim.granted())
	switch {
	case v.Decision == deny:
		return nil, refuse(DeniedByWebhook, "%s", v.Reason)
	case waits && seen.Claim.granted():
		// It keeps what it has: a claim that waits would have no device.
		return nil, waiting(v)
	case waits:
		next.State, change.Action = Pending, "provision_pending"
		if seen.Claim != nil && seen.Claim.State == Pending && seen.Claim.SPKI == a.spki {
			return nil, waiting(v)
		}
	default:
		if err := d.equip(a, seen, v, &next, change, grant); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			grant.Forget()
		}
	}()
	change.Claim = next
	claim, err := d.Store.Settle(ctx, a.Profile, a.Unit, next.SPKI, func(k Known) (*Change, error) {
		a.now = d.now()
		what, no := a.judge(&k, true)
		switch {
		case !same(seen, &k):
			return nil, errMoved
		case no != nil:
			return nil, no
		case what != ask:
			return nil, errMoved
		}
		return change, nil
	})
	if err != nil {
		return nil, settled(ctx, &seen.Profile, err)
	}
	if waits {
		return nil, waiting(v)
	}
	grant.Claim = *claim
	return grant, nil
}

func waiting(v *verdict) *Refusal {
	no := refuse(PendingApproval, "waits for an operator: %s", v.Reason)
	if no.RetryAfter = pendingRetry; v.RetryAfter > 0 {
		no.RetryAfter = v.RetryAfter
	}
	return no
}

// same says that the decision rests on what it rested on when the webhook was asked.
func same(seen, now *Known) bool {
	if seen.Profile.Revision != now.Profile.Revision || seen.Listing.Allowed != now.Listing.Allowed || seen.Listing.Denied != now.Listing.Denied ||
		!slices.Equal(seen.Listing.Secret, now.Listing.Secret) || (seen.Claim == nil) != (now.Claim == nil) || (seen.Device == nil) != (now.Device == nil) {
		return false
	}
	return seen.Claim == nil || seen.Claim.State == now.Claim.State && seen.Claim.SPKI == now.Claim.SPKI && seen.Claim.Number == now.Claim.Number
}

func (d *Desk) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}
