package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"iotbridge/gateway/provision/office"
)

var provisioningChanges = []page{
	{"POST " + profilePath + "/enable", "ConsoleEnableProfile", (*Console).enableProfile},
	{"POST " + profilePath + "/disable", "ConsoleDisableProfile", (*Console).disableProfile},
	{"POST " + profilePath + "/revoke", "ConsoleRevokeBootstrap", (*Console).revokeBootstrap},
	{"POST " + profilePath + "/restore", "ConsoleRestoreBootstrap", (*Console).restoreBootstrap},
	{"POST " + claimPath + "/approve", "ConsoleApproveClaim", (*Console).approveClaim},
	{"POST " + claimPath + "/deny", "ConsoleDenyClaim", (*Console).denyClaim},
	{"POST " + claimPath + "/reset", "ConsoleResetClaim", (*Console).resetClaim},
	{"POST " + listPath, "ConsoleEnlist", (*Console).enlist},
	{"POST " + listPath + "/remove", "ConsoleDelist", (*Console).delist},
}

var provisioningDeeds = map[string]string{
	"enabled": "The profile grants again.", "disabled": "The profile grants nobody anything any more. Devices that it made go on.",
	"revoked": "The certificate is revoked: who shows it is refused. Devices that it has made go on.", "restored": "The certificate may ask again.",
	"approved": "Approved: the unit is granted its credential when it asks again.", "denied": "Denied: the unit is refused until it is approved or reset.",
	"reset":    "The claim is reset: its device's keys are gone, and the unit may claim anew.",
	"enlisted": "The entries are on the list.", "delisted": "The entry is off the list.",
}

// onProfile does something with the path's profile, and shows it.
func (c *Console) onProfile(v *visit, deed string, do func(ctx context.Context, here office.Place, actor, profile string) error) error {
	here, err := c.place(v)
	if err != nil {
		return err
	}
	profile := v.PathValue("profile")
	if err := do(v.Context(), here, v.who.Name, profile); err != nil {
		return err
	}
	return v.back("/provisioning/"+url.PathEscape(profile), deed)
}

func (c *Console) enableProfile(v *visit) error {
	return c.onProfile(v, "enabled", func(ctx context.Context, here office.Place, actor, profile string) error {
		_, err := here.Switch(ctx, actor, profile, true)
		return err
	})
}

func (c *Console) disableProfile(v *visit) error {
	return c.onProfile(v, "disabled", func(ctx context.Context, here office.Place, actor, profile string) error {
		_, err := here.Switch(ctx, actor, profile, false)
		return err
	})
}

func (c *Console) revokeBootstrap(v *visit) error {
	return c.onProfile(v, "revoked", func(ctx context.Context, here office.Place, actor, profile string) error {
		_, err := here.Revoke(ctx, actor, profile, strings.TrimSpace(v.form().Get("sha256")))
		return err
	})
}

func (c *Console) restoreBootstrap(v *visit) error {
	return c.onProfile(v, "restored", func(ctx context.Context, here office.Place, actor, profile string) error {
		_, err := here.Restore(ctx, actor, profile, v.form().Get("sha256"))
		return err
	})
}

func (c *Console) approveClaim(v *visit) error {
	return c.onProfile(v, "approved", func(ctx context.Context, here office.Place, actor, profile string) error {
		_, err := here.Approve(ctx, actor, profile, v.PathValue("serial"))
		return err
	})
}

func (c *Console) denyClaim(v *visit) error {
	return c.onProfile(v, "denied", func(ctx context.Context, here office.Place, actor, profile string) error {
		_, err := here.Deny(ctx, actor, profile, v.PathValue("serial"), strings.TrimSpace(v.form().Get("reason")))
		return err
	})
}

func (c *Console) resetClaim(v *visit) error {
	if v.form().Get("sure") != v.PathValue("serial") {
		return v.fail(http.StatusBadRequest, "What you wrote is not the unit's serial number. Its claim is as it was.")
	}
	return c.onProfile(v, "reset", func(ctx context.Context, here office.Place, actor, profile string) error {
		return here.Reset(ctx, actor, profile, v.PathValue("serial"))
	})
}

// enlist adds lines. A mistake ends it: what stood before is there.
func (c *Console) enlist(v *visit) error {
	return c.onList(v, "enlisted", func(ctx context.Context, here office.Place, actor, profile, list string) error {
		taken, err := here.Enlist(ctx, actor, profile, list, strings.NewReader(v.form().Get("entries")))
		if fault, ok := errors.AsType[*office.LineError](err); ok {
			return v.fail(http.StatusBadRequest, sentence(fmt.Sprintf("%s. The %d entries before it are on the list; correct the line and send all again", clip(fault.Error(), shownWords), taken.Entries)))
		}
		if err == nil && taken.Entries == 0 {
			err = v.fail(http.StatusBadRequest, "There is no entry in what you sent.")
		}
		return err
	})
}

func (c *Console) delist(v *visit) error {
	return c.onList(v, "delisted", func(ctx context.Context, here office.Place, actor, profile, list string) error {
		return here.Strike(ctx, actor, profile, list, strings.TrimSpace(v.form().Get("entry")))
	})
}

// onList does something with the path's list, and shows it.
func (c *Console) onList(v *visit, deed string, do func(ctx context.Context, here office.Place, actor, profile, list string) error) error {
	here, err := c.place(v)
	if err != nil {
		return err
	}
	profile, list := v.PathValue("profile"), v.PathValue("list")
	if err := do(v.Context(), here, v.who.Name, profile, list); err != nil {
		return err
	}
	return v.back(listOf(profile, list), deed)
}
