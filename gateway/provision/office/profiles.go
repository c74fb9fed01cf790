package office

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// maxRevoked is how many certificates a profile may name when one more is revoked.
const maxRevoked = 1000

func page(r *http.Request, taken ...string) (p gateway.Page, state string, err error) {
	q, err := parameters(r, append(taken, "pageSize", "pageToken")...)
	if err != nil {
		return p, "", err
	}
	if text := q.Get("pageSize"); text != "" {
		if p.Size, err = strconv.Atoi(text); err != nil || p.Size < 0 {
			return p, "", &gateway.InvalidError{Field: "page_size", Reason: "is not a number of 0 or more"}
		}
	}
	p.Token = q.Get("pageToken")
	return p, q.Get("state"), nil
}

func (a *API) listProfiles(w http.ResponseWriter, r *http.Request, _ []string) error {
	p, _, err := page(r)
	if err != nil {
		return err
	}
	list, next, err := a.Books.Profiles(r.Context(), p)
	if err != nil {
		return err
	}
	answer := Profiles{Profiles: []*Profile{}, Next: next}
	for _, one := range list {
		if a.here(one.Registry) {
			answer.Profiles = append(answer.Profiles, toProfile(one))
		}
	}
	return reply(w, answer)
}

func (a *API) describeProfile(w http.ResponseWriter, r *http.Request, args []string) error {
	p, err := a.profile(r.Context(), args[0])
	if err != nil {
		return err
	}
	return reply(w, toProfile(p))
}

func (a *API) putProfile(w http.ResponseWriter, r *http.Request, args []string) error {
	var body Profile
	if err := decode(r, &body); err != nil {
		return err
	}
	wanted, err := body.profile(a.Location)
	if err != nil {
		return err
	}
	if wanted.ID == "" {
		wanted.ID = args[0]
	}
	if wanted.ID != args[0] {
		return &gateway.InvalidError{Field: "id", Reason: "is not the path's"}
	}
	if !a.here(wanted.Registry) {
		return &gateway.InvalidError{Field: "registry", Reason: "this gateway serves " + a.Location}
	}
	var before *provision.Profile
	if wanted.Revision != 0 {
		if before, err = a.profile(r.Context(), args[0]); err != nil {
			return err
		}
	}
	if err := check(wanted, before); err != nil {
		return err
	}
	if before != nil {
		keepSwitches(wanted, before)
	}
	kept, err := a.Books.PutProfile(r.Context(), actor(r), wanted)
	if err != nil {
		return err
	}
	return reply(w, toProfile(kept))
}

// keepSwitches lets a change switch off, and not on: a file that is applied again knows
// nothing of what an operator did at night.
func keepSwitches(p, before *provision.Profile) {
	p.Disabled = p.Disabled || before.Disabled
	for _, old := range before.Bootstrap {
		if !old.Revoked {
			continue
		}
		if at := named(p, sumOfBootstrap(old)); at >= 0 {
			p.Bootstrap[at].Revoked = true
		} else { // one that an authority has issued would be good again
			p.Bootstrap = append(p.Bootstrap, old)
		}
	}
}

func (a *API) deleteProfile(w http.ResponseWriter, r *http.Request, args []string) error {
	if _, err := a.profile(r.Context(), args[0]); err != nil {
		return err
	}
	if err := a.Books.DeleteProfile(r.Context(), actor(r), args[0]); err != nil {
		return err
	}
	return reply(w, struct{}{})
}

func (a *API) enableProfile(w http.ResponseWriter, r *http.Request, args []string) error {
	return a.turn(w, r, args[0], func(p *provision.Profile) (bool, error) {
		was := p.Disabled
		p.Disabled = false
		return was, nil
	})
}

func (a *API) disableProfile(w http.ResponseWriter, r *http.Request, args []string) error {
	return a.turn(w, r, args[0], func(p *provision.Profile) (bool, error) {
		was := p.Disabled
		p.Disabled = true
		return !was, nil
	})
}

// revokeBootstrap also takes a certificate that the profile does not name: one of those
// that an authority has issued.
func (a *API) revokeBootstrap(w http.ResponseWriter, r *http.Request, args []string) error {
	sum, err := fingerprint(args[1])
	if err != nil {
		return err
	}
	return a.turn(w, r, args[0], func(p *provision.Profile) (bool, error) {
		at := named(p, sum)
		if at < 0 {
			p.Bootstrap = append(p.Bootstrap, provision.Bootstrap{Name: "revoked", SHA256: sum, Revoked: true})
			if len(p.Bootstrap) > maxRevoked {
				return false, wrong("bootstrap", "has %d certificates: revoke their authority", len(p.Bootstrap)-1)
			}
			return true, nil
		}
		was := p.Bootstrap[at].Revoked
		p.Bootstrap[at].Revoked = true
		return !was, nil
	})
}

func (a *API) restoreBootstrap(w http.ResponseWriter, r *http.Request, args []string) error {
	sum, err := fingerprint(args[1])
	if err != nil {
		return err
	}
	return a.turn(w, r, args[0], func(p *provision.Profile) (bool, error) {
		at := named(p, sum)
		if at < 0 {
			return false, gateway.ErrNotFound
		}
		was := p.Bootstrap[at].Revoked
		p.Bootstrap[at].Revoked = false
		return was, nil
	})
}

// turn throws a switch, whoever changes the profile at the same time.
func (a *API) turn(w http.ResponseWriter, r *http.Request, id string, change func(*provision.Profile) (bool, error)) error {
	const tries = 10
	if _, err := parameters(r); err != nil {
		return err
	}
	for try := 1; ; try++ {
		p, err := a.turnOnce(r.Context(), actor(r), id, change)
		if errors.Is(err, gateway.ErrConflict) && try < tries {
			continue
		}
		if err != nil {
			return err
		}
		return reply(w, toProfile(p))
	}
}

func (a *API) turnOnce(ctx context.Context, actor, id string, change func(*provision.Profile) (bool, error)) (*provision.Profile, error) {
	p, err := a.profile(ctx, id)
	if err != nil {
		return nil, err
	}
	if changed, err := change(p); err != nil || !changed {
		return p, err
	}
	return a.Books.PutProfile(ctx, actor, p)
}
