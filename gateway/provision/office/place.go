package office

import (
	"context"
	"errors"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// Books is what is told to operators, and changed by them.
type Books interface {
	provision.Office
	Profile(ctx context.Context, id string) (*provision.Profile, error)
	Claim(ctx context.Context, profile, serial string) (*provision.Claim, error)
}

// Place is provisioning in one location: what operators see and do there, whichever way
// they come. A profile of another location's registry is not there. Errors are the
// gateway's, or the store's.
type Place struct {
	Books    Books
	Location string // projects/P/locations/L
}

// Profile is one of this location, without its webhook's secret.
func (p Place) Profile(ctx context.Context, id string) (*provision.Profile, error) {
	found, err := p.Books.Profile(ctx, id)
	if err != nil {
		return nil, err
	}
	if !p.here(found.Registry) {
		return nil, gateway.ErrNotFound
	}
	if found.Webhook != nil {
		hook := *found.Webhook
		hook.Secret, found.Webhook = "", &hook
	}
	return found, nil
}

// Profiles is a page of them: those of other locations are missing from it.
func (p Place) Profiles(ctx context.Context, page gateway.Page) (here []*provision.Profile, next string, err error) {
	list, next, err := p.Books.Profiles(ctx, page)
	for _, one := range list {
		if p.here(one.Registry) {
			here = append(here, one)
		}
	}
	return here, next, err
}

func (p Place) here(k gateway.RegistryKey) bool {
	return p.Location == "projects/"+k.Project+"/locations/"+k.Location
}

// Switch lets a profile grant, or not.
func (p Place) Switch(ctx context.Context, actor, id string, on bool) (*provision.Profile, error) {
	return p.turn(ctx, actor, id, func(profile *provision.Profile) (bool, error) {
		was := profile.Disabled
		profile.Disabled = !on
		return was == on, nil
	})
}

// Revoke also takes a certificate that the profile does not name: one of those that an
// authority has issued. certificate is its SHA-256.
func (p Place) Revoke(ctx context.Context, actor, id, certificate string) (*provision.Profile, error) {
	sum, err := fingerprint(certificate)
	if err != nil {
		return nil, err
	}
	return p.turn(ctx, actor, id, func(profile *provision.Profile) (bool, error) {
		at := named(profile, sum)
		if at < 0 {
			profile.Bootstrap = append(profile.Bootstrap, provision.Bootstrap{Name: "revoked", SHA256: sum, Revoked: true})
			if len(profile.Bootstrap) > maxRevoked {
				return false, wrong("bootstrap", "has %d certificates: revoke their authority", len(profile.Bootstrap)-1)
			}
			return true, nil
		}
		was := profile.Bootstrap[at].Revoked
		profile.Bootstrap[at].Revoked = true
		return !was, nil
	})
}

// Restore takes back Revoke.
func (p Place) Restore(ctx context.Context, actor, id, certificate string) (*provision.Profile, error) {
	sum, err := fingerprint(certificate)
	if err != nil {
		return nil, err
	}
	return p.turn(ctx, actor, id, func(profile *provision.Profile) (bool, error) {
		at := named(profile, sum)
		if at < 0 {
			return false, gateway.ErrNotFound
		}
		was := profile.Bootstrap[at].Revoked
		profile.Bootstrap[at].Revoked = false
		return was, nil
	})
}

// turn throws a switch, whoever changes the profile at the same time.
func (p Place) turn(ctx context.Context, actor, id string, change func(*provision.Profile) (bool, error)) (*provision.Profile, error) {
	const tries = 10
	for try := 1; ; try++ {
		turned, err := p.turnOnce(ctx, actor, id, change)
		if errors.Is(err, gateway.ErrConflict) && try < tries {
			continue
		}
		return turned, err
	}
}

func (p Place) turnOnce(ctx context.Context, actor, id string, change func(*provision.Profile) (bool, error)) (*provision.Profile, error) {
	profile, err := p.Profile(ctx, id)
	if err != nil {
		return nil, err
	}
	if changed, err := change(profile); err != nil || !changed {
		return profile, err
	}
	return p.Books.PutProfile(ctx, actor, profile)
}

// Sum is the SHA-256 of a bootstrap certificate, or of the authority that it stands
// for; "" for what is neither.
func Sum(b provision.Bootstrap) string { return sumOfBootstrap(b) }
