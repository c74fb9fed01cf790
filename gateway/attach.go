package gateway

import (
	"context"
	"time"
)

// Attach decides whether the gateway may speak for a device of its registry; token
// is the device's own or nil. The error is a *Refusal. What the gateway's method
// says is asked of the store as it is now, and only that: by AssociationOnly a token
// is not looked at, by DeviceToken no binding.
func (b *Bridge) Attach(ctx context.Context, gateway *Admission, device string, token []byte) (*Admission, error) {
	key := DeviceKey{gateway.Device.Key.RegistryKey, device}
	if !key.Valid() {
		return nil, refuse(BadName)
	}
	via, err := b.still(ctx, gateway)
	if err != nil {
		return nil, err
	}
	r, d, why := b.find(ctx, key, false)
	if why != nil && why.Fault {
		return nil, why
	}
	a := &Admission{Device: d, Registry: r, Protocol: gateway.Protocol, Expires: gateway.Expires, Credential: -1, Via: via}
	if via.AuthMethod.wantsToken() {
		a.Expires, a.Credential, err = b.Verifier.Verify(token, key.Project, d.Credentials, time.Now())
	}
	switch {
	case why != nil:
		return nil, why
	case err != nil:
		return nil, err
	case d.Blocked:
		return nil, refuse(Blocked)
	}
	if err := b.attachable(ctx, via, d, a.Credential >= 0); err != nil {
		return nil, err
	}
	return a, nil
}

// attachable says what stands against d, proven by a token or not, speaking through via.
func (b *Bridge) attachable(ctx context.Context, via, d *Device, proven bool) error {
	switch {
	case !via.IsGateway:
		return refuse(NotAGateway)
	case d.IsGateway, via.AuthMethod == 0, via.AuthMethod.wantsToken() && !proven: // no method: no device may
		return refuse(NotAttachable)
	case !via.AuthMethod.wantsBinding():
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	bound, err := b.Directory.Bound(ctx, via.Number, d.Number)
	switch {
	case err != nil:
		return storeFault
	case !bound:
		return refuse(NotAttachable)
	}
	return nil
}

func (m AuthMethod) wantsToken() bool { return m == DeviceToken || m == AssociationAndDeviceToken }

func (m AuthMethod) wantsBinding() bool { return m != DeviceToken }
