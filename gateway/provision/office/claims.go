package office

import (
	"context"
	"net/http"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

const maxReason = 256

func (a *API) listClaims(w http.ResponseWriter, r *http.Request, args []string) error {
	p, state, err := page(r, "state")
	if err != nil {
		return err
	}
	if _, err := a.profile(r.Context(), args[0]); err != nil {
		return err
	}
	list, next, err := a.Books.Claims(r.Context(), args[0], provision.ClaimState(state), p)
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
	return a.onClaim(w, r, args, func(ctx context.Context, _, serial string) (*provision.Claim, error) {
		return a.Books.Claim(ctx, args[0], serial)
	})
}

func (a *API) approveClaim(w http.ResponseWriter, r *http.Request, args []string) error {
	return a.onClaim(w, r, args, func(ctx context.Context, actor, serial string) (*provision.Claim, error) {
		return a.Books.Approve(ctx, actor, args[0], serial)
	})
}

func (a *API) denyClaim(w http.ResponseWriter, r *http.Request, args []string) error {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := decode(r, &body); err != nil {
		return err
	}
	if len(body.Reason) > maxReason || body.Reason != printed(body.Reason) {
		return wrong("reason", "has more than %d printable characters", maxReason)
	}
	return a.onClaim(w, r, args, func(ctx context.Context, actor, serial string) (*provision.Claim, error) {
		return a.Books.Deny(ctx, actor, args[0], serial, body.Reason)
	})
}

func (a *API) resetClaim(w http.ResponseWriter, r *http.Request, args []string) error {
	return a.onClaim(w, r, args, func(ctx context.Context, actor, serial string) (*provision.Claim, error) {
		return nil, a.Books.Reset(ctx, actor, args[0], serial)
	})
}

// onClaim does something with the claim in the path, by its canonical serial.
func (a *API) onClaim(w http.ResponseWriter, r *http.Request, args []string, do func(ctx context.Context, actor, serial string) (*provision.Claim, error)) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	if _, err := a.profile(r.Context(), args[0]); err != nil {
		return err
	}
	serial, err := provision.ParseSerial(args[1])
	if err != nil {
		return gateway.ErrNotFound
	}
	c, err := do(r.Context(), actor(r), serial)
	switch {
	case err != nil:
		return err
	case c == nil:
		return reply(w, struct{}{})
	}
	return reply(w, toClaim(c))
}
