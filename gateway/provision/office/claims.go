package office

import (
	"context"
	"net/http"

	"iotbridge/gateway/provision"
)

func (a *API) listClaims(w http.ResponseWriter, r *http.Request, args []string) error {
	p, state, err := page(r, "state")
	if err != nil {
		return err
	}
	list, next, err := a.Claims(r.Context(), args[0], provision.ClaimState(state), p)
	if err != nil {
		return err
	}
	answer := Claims{Claims: make([]*Claim, 0, len(list)), Next: next}
	for _, c := range list {
		answer.Claims = append(answer.Claims, toClaim(c))
	}
	return reply(w, answer)
}

func (a *API) describeClaim(w http.ResponseWriter, r *http.Request, args []string) error {
	return onClaim(w, r, func(ctx context.Context, _ string) (*provision.Claim, error) {
		return a.Claim(ctx, args[0], args[1])
	})
}

func (a *API) approveClaim(w http.ResponseWriter, r *http.Request, args []string) error {
	return onClaim(w, r, func(ctx context.Context, actor string) (*provision.Claim, error) {
		return a.Approve(ctx, actor, args[0], args[1])
	})
}

func (a *API) denyClaim(w http.ResponseWriter, r *http.Request, args []string) error {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := decode(r, &body); err != nil {
		return err
	}
	return onClaim(w, r, func(ctx context.Context, actor string) (*provision.Claim, error) {
		return a.Deny(ctx, actor, args[0], args[1], body.Reason)
	})
}

func (a *API) resetClaim(w http.ResponseWriter, r *http.Request, args []string) error {
	return onClaim(w, r, func(ctx context.Context, actor string) (*provision.Claim, error) {
		return nil, a.Reset(ctx, actor, args[0], args[1])
	})
}

// onClaim answers with what became of a claim.
func onClaim(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, actor string) (*provision.Claim, error)) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	c, err := do(r.Context(), actor(r))
	switch {
	case err != nil:
		return err
	case c == nil:
		return reply(w, struct{}{})
	}
	return reply(w, toClaim(c))
}
