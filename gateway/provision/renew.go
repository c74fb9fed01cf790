package provision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/netip"
	"slices"
	"time"

	"iotbridge/gateway"
)

const (
	// overlap is how long the credential before counts beside the new one.
	overlap        = 24 * time.Hour
	maxCredentials = 3
)

// Renew gives a device a second certificate, for the new key spki. presented is the
// chain that TLS has verified possession of, the device's certificate first; it must
// be one that a claim names. u is the unit that the request names, if any; it must be
// the claim's. Errors are Enroll's.
func (d *Desk) Renew(ctx context.Context, presented Presented, spki []byte, u Unit, from netip.Addr) (*Grant, error) {
	begin := time.Now()
	var grant *Grant
	claim, err := d.self(ctx, presented)
	if err == nil {
		grant, err = d.renew(ctx, claim, presented, spki, u, from)
	} else {
		claim = &Claim{}
	}
	return grant, d.tell(grant, err, begin, claim.Profile, claim.Unit.Serial, "")
}

// Self returns the claim that names the device's certificate. Errors are Enroll's.
func (d *Desk) Self(ctx context.Context, presented Presented) (*Claim, error) {
	return d.self(ctx, presented)
}

func (d *Desk) self(ctx context.Context, presented Presented) (*Claim, error) {
	own := presented.own()
	if own == nil {
		return nil, refuse(NoCertificate, "no client certificate")
	}
	if err := d.Authority.Current().Verify(presented, d.now()); err != nil {
		return nil, refuse(NoCertificate, "not a device's certificate, or one that has expired: %s", printable(err.Error(), maxSubject))
	}
	claim, err := d.Store.ClaimOf(ctx, sha256.Sum256(own.Raw))
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return nil, refuse(NoCertificate, "no claim names the certificate: it was replaced, or the claim was reset")
	case err != nil:
		return nil, trouble(ctx, err)
	case !claim.granted():
		return nil, refuse(DeviceBlocked, "the claim is %s", claim.State)
	}
	return claim, nil
}

// renewal is a request by a device.
type renewal struct {
	own  *x509.Certificate
	key  []byte
	spki [32]byte
}

func (d *Desk) renew(ctx context.Context, claim *Claim, presented Presented, key []byte, u Unit, from netip.Addr) (*Grant, error) {
	if wait := d.limits.takeRenewal(from, d.now()); wait > 0 {
		no := refuse(TooMany, "more renewals from one address than its rate allows")
		no.RetryAfter = max(wait, time.Second)
		return nil, no
	}
	key, err := ParsePublicKey(key)
	if err != nil {
		return nil, err
	}
	if u.Serial != "" && u.Serial != claim.Unit.Serial {
		return nil, refuse(BadIdentifiers, "the serial number is not that of the device's certificate")
	}
	p, err := d.Store.Profile(ctx, claim.Profile)
	if err != nil {
		return nil, trouble(ctx, err)
	}
	r := &renewal{presented.own(), key, sha256.Sum256(key)}
	now := d.now()
	credential, certificate, err := d.issue(claim.Device.Device, claim.Unit.Serial, key, p.lifetime(), now)
	if err != nil {
		return nil, err
	}
	grant := &Grant{}
	settledClaim, err := d.Store.Settle(ctx, claim.Profile, claim.Unit, r.spki, func(k Known) (*Change, error) {
		grant.Fresh = false
		repeated, no := r.judge(&k)
		if no != nil {
			return nil, no
		}
		if repeated {
			return nil, nil
		}
		credentials, no := r.credentials(&k, now)
		if no != nil {
			return nil, no
		}
		grant.Fresh = true
		next := *k.Claim
		next.SPKI, next.Certificate, next.NotAfter, next.Previous = r.spki, certificate, credential.Expires, r.own.Raw
		return &Change{Claim: next, Credentials: append(credentials, credential), Action: "provision_renew", Detail: "a second credential"}, nil
	})
	if err != nil {
		if err = settled(ctx, p, err); errors.Is(err, errMoved) {
			return nil, busy("the profile went meanwhile", err)
		}
		return nil, err
	}
	grant.Claim = *settledClaim
	return grant, nil
}

// judge decides by what is true under the claim's lock. repeated: the answer was lost
// before, and is the claim's certificate.
func (r *renewal) judge(k *Known) (repeated bool, no *Refusal) {
	c := k.Claim
	switch {
	case k.Listing.Denied:
		return false, refuse(DeniedByList, "the serial number or a MAC is on the deny list")
	case !c.granted() || !bytes.Equal(c.Certificate, r.own.Raw) && !bytes.Equal(c.Previous, r.own.Raw):
		return false, refuse(DeviceBlocked, "the claim does not name the certificate any more")
	case k.Device == nil:
		return false, refuse(DeviceBlocked, "the device was deleted")
	case k.Device.Blocked:
		return false, refuse(DeviceBlocked, "the device is blocked")
	case k.KeyOwner != "":
		return false, keyTaken(k.KeyOwner)
	case !slices.ContainsFunc(k.Device.Credentials, r.isOwn):
		return false, refuse(DeviceBlocked, "the certificate is not a credential of the device any more")
	case c.SPKI == r.spki && bytes.Equal(c.Previous, r.own.Raw):
		return true, nil
	case k.Profile.Disabled:
		return false, refuse(ProfileDisabled, "the profile is disabled")
	case c.SPKI == r.spki || sha256.Sum256(r.own.RawSubjectPublicKeyInfo) == r.spki:
		return false, refuse(KeyNotAllowed, "a renewal wants a new key")
	}
	return false, nil
}

// credentials are those that stay beside the new one: the one that asks, for a day,
// and those that are not ours. A newer one that was never used goes, as its answer was
// lost.
func (r *renewal) credentials(k *Known, now time.Time) ([]gateway.Credential, *Refusal) {
	var stay []gateway.Credential
	for _, c := range k.Device.Credentials {
		der := certificateOf(c)
		switch {
		case der != nil && bytes.Equal(der, r.own.Raw):
			if end := now.Add(overlap); c.Expires.IsZero() || c.Expires.After(end) {
				c.Expires = end
			}
		case der != nil && (bytes.Equal(der, k.Claim.Certificate) || bytes.Equal(der, k.Claim.Previous)):
			continue
		case !c.Expires.IsZero() && now.After(c.Expires):
			continue
		}
		stay = append(stay, c)
	}
	if len(stay) >= maxCredentials {
		return nil, refuse(KeyNotAllowed, "the device has %d credentials beside: remove one", len(stay))
	}
	return stay, nil
}

func (r *renewal) isOwn(c gateway.Credential) bool {
	der := certificateOf(c)
	return der != nil && bytes.Equal(der, r.own.Raw)
}

// certificateOf is the DER of a credential that is a certificate.
func certificateOf(c gateway.Credential) []byte {
	if block, _ := pem.Decode([]byte(c.PEM)); block != nil && block.Type == "CERTIFICATE" {
		return block.Bytes
	}
	return nil
}
