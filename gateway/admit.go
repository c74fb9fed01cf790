package gateway

import (
	"context"
	"errors"
	"time"
)

// lookup bounds how long the store is waited for.
const lookup = 2 * time.Second

func refuse(why Reason) *Refusal { return &Refusal{Reason: why} }

var storeFault = &Refusal{Reason: StoreFault, Fault: true}

// Admit decides on an attempt. The error is a *Refusal. Whatever is wrong, the store
// is asked and a token verified. While the store does not answer, what it said in the
// last minute counts, unless a change was announced since.
func (b *Bridge) Admit(ctx context.Context, a Attempt) (*Admission, error) {
	if !a.Key.Valid() {
		return nil, refuse(BadName)
	}
	r, d, why := b.find(ctx, a.Key, true)
	if why != nil && why.Fault {
		return nil, why
	}
	now := time.Now()
	expires, credential, err := b.Verifier.Verify(a.Token, a.Key.Project, d.Credentials, now)
	switch {
	case why != nil:
		return nil, why
	case err != nil:
		return nil, err
	case d.Blocked:
		return nil, refuse(Blocked)
	case !r.serves(a.Protocol):
		return nil, refuse(ProtocolDisabled)
	}
	return &Admission{Device: d, Registry: r, Protocol: a.Protocol, Expires: expires, Credential: credential}, nil
}

// Still decides whether an admission would be given again: not after the device was
// blocked, deleted, or lost the credential, nor after its registry lost the protocol
// or its gateway the binding. Only the store counts: a *Refusal with Fault says that
// it did not answer, and that it should be asked again soon.
func (b *Bridge) Still(ctx context.Context, a *Admission) error {
	if a.Via == nil {
		_, err := b.still(ctx, a)
		return err
	}
	via, err := b.still(ctx, &Admission{Device: a.Via, Protocol: a.Protocol, Credential: -1})
	if err != nil {
		return err
	}
	d, err := b.still(ctx, a)
	if err != nil {
		return err
	}
	return b.attachable(ctx, via, d, a.Credential >= 0)
}

// still returns the device as it is now.
func (b *Bridge) still(ctx context.Context, a *Admission) (*Device, error) {
	r, d, why := b.find(ctx, a.Device.Key, false)
	switch {
	case why != nil:
		return nil, why
	case d.Number != a.Device.Number: // deleted, and made again
		return nil, refuse(UnknownDevice)
	case d.Blocked:
		return nil, refuse(Blocked)
	case !r.serves(a.Protocol):
		return nil, refuse(ProtocolDisabled)
	case a.Credential >= 0 && !d.has(a.Device.Credentials[a.Credential]):
		return nil, refuse(CredentialGone)
	}
	return d, nil
}

// find asks the store for a device and its registry; with recall, the memory stands
// in for it. The device is never nil: one that is not there has no keys.
func (b *Bridge) find(ctx context.Context, key DeviceKey, recall bool) (*Registry, *Device, *Refusal) {
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	b.mu.Lock()
	changes := b.memory.changes
	b.mu.Unlock()
	r, d, err := b.Directory.Lookup(ctx, key)

	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		d = d.admitted()
		b.memory.keepDevice(d, now, changes)
		return b.memory.keepRegistry(r.admitted(), now, changes), d, nil
	case errors.Is(err, ErrNotFound) && r == nil:
		b.memory.forgetRegistry(key.RegistryKey)
		return nil, &Device{}, refuse(UnknownRegistry)
	case errors.Is(err, ErrNotFound):
		b.memory.forgetDevice(key)
		return b.memory.keepRegistry(r.admitted(), now, changes), &Device{}, refuse(UnknownDevice)
	}
	r, d = b.memory.registry(key.RegistryKey, now), b.memory.device(key, now)
	if !recall || r == nil || d == nil {
		return nil, &Device{}, storeFault
	}
	return r, d, nil
}
