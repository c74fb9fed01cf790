package office

import (
	"context"
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
	list, next, err := a.Profiles(r.Context(), p)
	if err != nil {
		return err
	}
	answer := Profiles{Profiles: make([]*Profile, 0, len(list)), Next: next}
	for _, one := range list {
		answer.Profiles = append(answer.Profiles, toProfile(one))
	}
	return reply(w, answer)
}

func (a *API) describeProfile(w http.ResponseWriter, r *http.Request, args []string) error {
	p, err := a.Profile(r.Context(), args[0])
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
		if before, err = a.Profile(r.Context(), args[0]); err != nil {
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
	if _, err := a.Profile(r.Context(), args[0]); err != nil {
		return err
	}
	if err := a.Books.DeleteProfile(r.Context(), actor(r), args[0]); err != nil {
		return err
	}
	return reply(w, struct{}{})
}

func (a *API) enableProfile(w http.ResponseWriter, r *http.Request, args []string) error {
	return onProfile(w, r, func(ctx context.Context, actor string) (*provision.Profile, error) {
		return a.Switch(ctx, actor, args[0], true)
	})
}

func (a *API) disableProfile(w http.ResponseWriter, r *http.Request, args []string) error {
	return onProfile(w, r, func(ctx context.Context, actor string) (*provision.Profile, error) {
		return a.Switch(ctx, actor, args[0], false)
	})
}

func (a *API) revokeBootstrap(w http.ResponseWriter, r *http.Request, args []string) error {
	return onProfile(w, r, func(ctx context.Context, actor string) (*provision.Profile, error) {
		return a.Revoke(ctx, actor, args[0], args[1])
	})
}

func (a *API) restoreBootstrap(w http.ResponseWriter, r *http.Request, args []string) error {
	return onProfile(w, r, func(ctx context.Context, actor string) (*provision.Profile, error) {
		return a.Restore(ctx, actor, args[0], args[1])
	})
}

// onProfile answers with what became of a profile.
func onProfile(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, actor string) (*provision.Profile, error)) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	p, err := do(r.Context(), actor(r))
	if err != nil {
		return err
	}
	return reply(w, toProfile(p))
}
