package provision

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"strings"
	"time"

	"iotbridge/gateway"
)

// pendingRetry is when a unit that waits for an operator is told to ask again.
const pendingRetry = 5 * time.Minute

// move is what a request that was not refused comes to.
type move int

const (
	repeat move = iota // the stored answer
	ask                // a certificate, if the webhook agrees
)

// asked is a request as it is judged, first by what can be read and again by what is
// true under the claim's lock.
type asked struct {
	*Request
	spki [32]byte // of the key that it came with; zero: none came
	now  time.Time
}

// judge decides all but rates and the webhook, in the package's order. whole says that
// k holds the device and the key's owner too.
func (a *asked) judge(k *Known, whole bool) (move, *Refusal) {
	for _, no := range []func(*Known) *Refusal{a.profile, a.key, a.room, a.lists} {
		if r := no(k); r != nil {
			return 0, r
		}
	}
	if whole {
		if r := a.device(k); r != nil {
			return 0, r
		}
	}
	return a.claim(k)
}

func (a *asked) profile(k *Known) *Refusal {
	return k.Profile.admits(a.Bootstrap, a.now)
}

func (a *asked) key(k *Known) *Refusal {
	switch {
	case a.PublicKey == nil && k.Profile.KeyMode != KeyOnServer && k.Profile.KeyMode != KeyOnEither:
		return refuse(KeyNotAllowed, "the profile's devices make their keys themselves")
	case a.PublicKey != nil && k.Profile.KeyMode == KeyOnServer:
		return refuse(KeyNotAllowed, "the profile's keys are made by the platform")
	case a.PublicKey == nil && k.Profile.Secrets:
		return refuse(KeyNotAllowed, "a claim secret is proved over the unit's own key")
	}
	return nil
}

// room is for new devices; those that have a claim have had theirs.
func (a *asked) room(k *Known) *Refusal {
	if k.Profile.MaxDevices > 0 && k.Profile.Devices >= k.Profile.MaxDevices && !k.Claim.granted() {
		return full(&k.Profile)
	}
	return nil
}

func full(p *Profile) *Refusal {
	r := refuse(ProfileFull, "the profile has its %d devices", p.MaxDevices)
	r.RetryAfter = time.Hour
	return r
}

// lists does the same work for each no: its time does not tell which.
func (a *asked) lists(k *Known) *Refusal {
	proved := !k.Profile.Secrets || proves(a.ClaimProof, k.Listing.Secret, a.PublicKey)
	switch {
	case k.Listing.Denied:
		return refuse(DeniedByList, "the serial number or a MAC is on the deny list")
	case k.Profile.Lists && !k.Listing.Allowed:
		return refuse(NotInAllowList, "neither the serial number nor a MAC is on the allow list")
	case !proved:
		return refuse(WrongClaimSecret, "the claim proof is missing, or not of this unit's secret and key")
	}
	return nil
}

// proves compares in constant time; without a secret in the list nothing proves it.
func proves(proof, secret, publicKey []byte) bool {
	mac := hmac.New(sha256.New, secret)
	mac.Write(publicKey)
	return hmac.Equal(mac.Sum(nil), proof) && len(secret) == sha256.Size
}

func (a *asked) device(k *Known) *Refusal {
	switch {
	case k.Claim.granted() && k.Device == nil:
		return refuse(DeviceBlocked, "the device was deleted: reset the claim")
	case k.Device != nil && k.Device.Blocked:
		return refuse(DeviceBlocked, "the device is blocked")
	case k.KeyOwner != "":
		return keyTaken(k.KeyOwner)
	}
	return nil
}

func keyTaken(owner string) *Refusal {
	no := refuse(AlreadyProvisioned, "the key is that of %s already", printable(owner, maxSubject))
	no.sharedKey = true
	return no
}

// claim is the rule of what is there already.
func (a *asked) claim(k *Known) (move, *Refusal) {
	c := k.Claim
	if c == nil {
		return ask, nil
	}
	same := c.SPKI == a.spki
	replaces := k.Profile.Again == AgainReplace || k.Profile.Again == AgainNeverConnected && c.State != Active
	switch c.State {
	case Denied:
		return 0, refuse(DeniedByOperator, "an operator denied it")
	case Pending, Approved:
		if same || replaces {
			return ask, nil
		}
		return 0, refuse(AlreadyProvisioned, "another key has asked for this serial number before")
	case Claimed, Active:
		expired := a.now.After(c.NotAfter)
		replaces = replaces || expired && k.Profile.Again == AgainExpired ||
			// The answer that held the only copy of the key was perhaps never received.
			a.PublicKey == nil && k.Profile.KeyMode == KeyOnServer && c.State == Claimed
		switch {
		case same && a.PublicKey != nil && (!expired || !replaces):
			return repeat, nil
		case replaces:
			return ask, nil
		}
		return 0, refuse(AlreadyProvisioned, "the serial number has a device with another key")
	}
	return 0, refuse(StoreUnavailable, "a claim in the state %q", c.State)
}

func (c *Claim) granted() bool { return c != nil && (c.State == Claimed || c.State == Active) }

// approved says that an operator has approved this very key.
func (a *asked) approved(k *Known) bool {
	return k.Claim != nil && k.Claim.State == Approved && k.Claim.SPKI == a.spki
}

// admits says whether a certificate may ask for enrolment in the profile. A revoked
// entry counts whatever the others say.
func (p *Profile) admits(by Presented, now time.Time) *Refusal {
	own := by.own()
	if own == nil {
		return refuse(NoCertificate, "no client certificate")
	}
	no := refuse(UnknownBootstrap, "a certificate that the profile does not name")
	if isFor(own, ForDevice) || own.IsCA {
		return no
	}
	admitted := false
	for _, b := range p.Bootstrap {
		switch named, live := b.names(by, now); {
		case named && b.Revoked:
			return refuse(BootstrapRevoked, "the bootstrap certificate %s is revoked", printable(b.Name, maxSubject))
		case live:
			admitted = true
		case named:
			no = refuse(UnknownBootstrap, "the bootstrap certificate %s has expired, or is of tomorrow", printable(b.Name, maxSubject))
		}
	}
	switch {
	case !admitted:
		return no
	case p.Disabled:
		return refuse(ProfileDisabled, "the profile is disabled")
	}
	return nil
}

// names says whether the entry is the certificate's, and whether it may ask now. The
// entry's own end, when it has one, stands for the certificate's: boards may have lain
// in a warehouse for longer.
func (b *Bootstrap) names(by Presented, now time.Time) (named, live bool) {
	own := by.own()
	end := own.NotAfter
	if !b.NotAfter.IsZero() {
		end = b.NotAfter
	}
	switch {
	case b.SHA256 != "":
		named = strings.EqualFold(b.SHA256, by.SHA256) && asksAsClient(own) || b.Revoked && by.twinOf(b.SHA256)
	case b.Authority != "":
		root, err := b.root()
		// When it was issued it was good; whether it is still, the end says.
		named = err == nil && !isFor(root, ForDevice) && by.issuedBy(root, x509.VerifyOptions{CurrentTime: latest(own.NotBefore, root.NotBefore)}) == nil
	}
	return named, named && !now.After(end) && !now.Before(own.NotBefore)
}

// asksAsClient says that a pinned certificate is for a TLS client, if it says for what.
func asksAsClient(c *x509.Certificate) bool {
	if len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 {
		return true
	}
	for _, usage := range c.ExtKeyUsage {
		if usage == x509.ExtKeyUsageClientAuth || usage == x509.ExtKeyUsageAny {
			return true
		}
	}
	return false
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lastSeen is the device's last sign of life.
func lastSeen(d *gateway.Device) time.Time { return latest(d.LastHeartbeat, d.LastEvent) }
