package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"iotbridge/gateway/provision/office"
)

type provisionClaims struct {
	List     claimsList     `cmd:"" help:"List the units that have asked."`
	Describe claimsDescribe `cmd:"" help:"Show a unit's claim."`
	Approve  claimsApprove  `cmd:"" help:"Let a unit have what it asked for, the next time it asks."`
	Deny     claimsDeny     `cmd:"" help:"Refuse a unit that waits."`
	Reset    claimsReset    `cmd:"" help:"Forget a unit's claim, and take its device's keys away: it may begin anew."`
}

// inProfile says of which profile.
type inProfile struct {
	operatorsAPI `embed:""`
	Profile      string `required:"" placeholder:"ID" help:"The profile."`
}

// claimOf says which unit's.
type claimOf struct {
	inProfile `embed:""`
	Serial    string `arg:"" help:"The unit's serial number."`
}

type claimsList struct {
	inProfile `embed:""`
	State     string `default:"" enum:",pending,approved,claimed,active,denied" placeholder:"STATE" help:"Only those that are pending, approved, claimed, active or denied."`
	Limit     int    `default:"1000" help:"So many at the most."`
}

// Run lists, by serial.
func (c *claimsList) Run(ctx context.Context, out io.Writer) error {
	return c.provisioning(ctx, out, func(ctx context.Context, d *desk) error {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		if !d.json {
			fmt.Fprintln(w, "SERIAL\tSTATE\tDEVICE\tUNTIL\tUPDATED\tREASON")
		}
		err := d.pages(c.Limit, func(query string, limit int) (int, string, error) {
			if c.State != "" {
				query += "&state=" + url.QueryEscape(strings.ToUpper(c.State))
			}
			var page office.Claims
			if err := d.call(ctx, http.MethodGet, in("profiles", c.Profile, "claims")+"?"+query, nil, &page); err != nil {
				return 0, "", err
			}
			some := page.Claims[:min(limit, len(page.Claims))]
			for _, claim := range some {
				if err := d.print(claim, func(io.Writer) {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", claim.Serial, claim.State, orDash(registryIn(claim.Device)),
						whenever(claim.NotAfter), whenever(claim.Updated), shown(orDash(claim.Reason)))
				}); err != nil {
					return 0, "", err
				}
			}
			return len(some), page.Next, nil
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// act asks for what answers with the claim, and shows that.
func (c *claimOf) act(ctx context.Context, out io.Writer, method, verb string, body any) error {
	return c.provisioning(ctx, out, func(ctx context.Context, d *desk) error {
		var claim office.Claim
		if err := d.call(ctx, method, in("profiles", c.Profile, "claims", c.Serial)+verb, body, &claim); err != nil {
			return err
		}
		return d.print(&claim, func(out io.Writer) { describeClaim(out, &claim) })
	})
}

type claimsDescribe struct {
	claimOf `embed:""`
}

// Run shows it.
func (c *claimsDescribe) Run(ctx context.Context, out io.Writer) error {
	return c.act(ctx, out, http.MethodGet, "", nil)
}

type claimsApprove struct {
	claimOf `embed:""`
}

// Run approves it.
func (c *claimsApprove) Run(ctx context.Context, out io.Writer) error {
	return c.act(ctx, out, http.MethodPost, ":approve", nil)
}

type claimsDeny struct {
	claimOf `embed:""`
	Reason  string `placeholder:"TEXT" help:"Why. It stays with the claim, and no device is told it."`
}

// Run denies it.
func (c *claimsDeny) Run(ctx context.Context, out io.Writer) error {
	return c.act(ctx, out, http.MethodPost, ":deny", map[string]string{"reason": c.Reason})
}

type claimsReset struct {
	claimOf `embed:""`
	Yes     bool `help:"Do not ask."`
}

// Run resets it.
func (c *claimsReset) Run(ctx context.Context, out io.Writer) error {
	if err := confirm("Reset the claim of "+shown(c.Serial)+"? Its device's keys are taken away, and it is disconnected.", c.Yes); err != nil {
		return err
	}
	return c.provisioning(ctx, out, func(ctx context.Context, d *desk) error {
		return d.call(ctx, http.MethodPost, in("profiles", c.Profile, "claims", c.Serial)+":reset", nil, &struct{}{})
	})
}

func describeClaim(out io.Writer, c *office.Claim) {
	line(out, "serial", c.Serial)
	for _, mac := range c.MACs {
		line(out, "mac", mac)
	}
	line(out, "profile", c.Profile)
	line(out, "state", string(c.State))
	line(out, "reason", orDash(c.Reason))
	line(out, "device", orDash(c.Device))
	line(out, "number", orDash(c.Number))
	line(out, "key", "SHA-256 "+cmp.Or(c.SPKI, "-"))
	line(out, "certificate", "SHA-256 "+cmp.Or(c.CertificateSHA256, "-"))
	line(out, "until", whenever(c.NotAfter))
	line(out, "bootstrap", "SHA-256 "+cmp.Or(c.Bootstrap, "-"))
	line(out, "created", whenever(c.Created))
	line(out, "updated", whenever(c.Updated))
}

type provisionBootstrap struct {
	Revoke  bootstrapRevoke  `cmd:"" help:"Refuse a bootstrap certificate from now on, or an authority with all that it has issued."`
	Restore bootstrapRestore `cmd:"" help:"Take one again that was revoked by mistake."`
}

// bootstrapOf says which certificate.
type bootstrapOf struct {
	inProfile `embed:""`
	SHA256    string `arg:"" name:"sha256" help:"The SHA-256 of the certificate's DER: iotbridge provision profiles describe shows it, and so does openssl x509 -noout -fingerprint -sha256."`
}

type bootstrapRevoke struct {
	bootstrapOf `embed:""`
}

// Help is shown after the flags.
func (*bootstrapRevoke) Help() string {
	return `Devices that were granted by it keep their own keys and are not touched: what they do does not rest on it. One of the certificates that an authority has issued may be named, too.`
}

// Run revokes it, at once, and asks nothing: it is said in haste.
func (c *bootstrapRevoke) Run(ctx context.Context, out io.Writer) error {
	return c.do(ctx, out, http.MethodPost, in("profiles", c.Profile, "bootstrap", c.SHA256)+":revoke")
}

type bootstrapRestore struct {
	bootstrapOf `embed:""`
	Yes         bool `help:"Do not ask."`
}

// Run restores it.
func (c *bootstrapRestore) Run(ctx context.Context, out io.Writer) error {
	if err := confirm("Let who has the key of "+shown(c.SHA256)+" ask again?", c.Yes); err != nil {
		return err
	}
	return c.do(ctx, out, http.MethodPost, in("profiles", c.Profile, "bootstrap", c.SHA256)+":restore")
}
