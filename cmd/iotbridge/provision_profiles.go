package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
)

type provisionProfiles struct {
	Apply    profilesApply    `cmd:"" help:"Make a profile from a file, or change it to what the file says."`
	List     profilesList     `cmd:"" help:"List the profiles."`
	Describe profilesDescribe `cmd:"" help:"Show a profile."`
	Enable   profilesEnable   `cmd:"" help:"Let a profile grant again."`
	Disable  profilesDisable  `cmd:"" help:"Grant nothing more by a profile. What was granted stays."`
	Delete   profilesDelete   `cmd:"" help:"Delete a profile that nobody has claimed by, with its lists."`
}

// profileOf says which profile.
type profileOf struct {
	operatorsAPI `embed:""`
	Profile      string `arg:"" help:"Its id."`
}

type profilesApply struct {
	operatorsAPI `embed:""`
	File         string `arg:"" type:"existingfile" help:"The profile in YAML."`
}

// Help is shown after the flags.
func (*profilesApply) Help() string {
	return `The least that a profile says:

  id: batch7
  registry: RaspberryPiDevices
  lists: true
  bootstrap:
    - name: batch 7
      certificateFile: bootstrap.pem

lists: only units on the allow list (iotbridge provision allow add). keyMode: csr, where the key is made on the board and stays there (the default), server, or both. approval: each unit waits for iotbridge provision claims approve. secrets: a unit also proves its claim secret. deviceId: d-{serial} is the default. reprovision: what a serial gets that comes back with another key, refuse (the default), replace-never-connected, reclaim-if-expired or replace. lifetime: of certificates, 8760h is the default. maxDevices: a cap. rates: certificate, address and prefix, enrolments a minute. webhook: url, secretFile, timeout, for your own validation. metadata: of each device.

certificateFile and secretFile are relative to the file. A certificate of an authority lets all ask that it has issued.

What was disabled or revoked stays so, whatever the file says: iotbridge provision profiles enable and bootstrap restore are the only way back.`
}

// Run reads the whole file before it calls.
func (c *profilesApply) Run(ctx context.Context, out io.Writer) error {
	wanted, err := readProfile(c.File)
	if err != nil {
		return err
	}
	return c.provisioning(ctx, out, func(ctx context.Context, d *desk) error {
		verb := "changed"
		var before, kept office.Profile
		if err := d.call(ctx, http.MethodGet, in("profiles", wanted.ID), nil, &before); missing(err) {
			verb = "made"
		} else if err != nil {
			return err
		}
		wanted.Revision = before.Revision
		if err := d.call(ctx, http.MethodPut, in("profiles", wanted.ID), wanted, &kept); err != nil {
			return err
		}
		return d.print(&kept, func(out io.Writer) {
			fmt.Fprintf(out, "profile %s was %s: revision %d\n", kept.ID, verb, kept.Revision)
			if kept.Disabled && !wanted.Disabled {
				fmt.Fprintf(out, "it is disabled, and stays so until iotbridge provision profiles enable %s\n", kept.ID)
			}
		})
	})
}

type profilesList struct {
	operatorsAPI `embed:""`
	Limit        int `default:"1000" help:"So many at the most."`
}

// Run lists, by id.
func (c *profilesList) Run(ctx context.Context, out io.Writer) error {
	return c.provisioning(ctx, out, func(ctx context.Context, d *desk) error {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		if !d.json {
			fmt.Fprintln(w, "PROFILE\tREGISTRY\tENABLED\tKEYS\tLISTS\tBOOTSTRAP\tREVISION")
		}
		err := d.pages(c.Limit, func(query string, limit int) (int, string, error) {
			var page office.Profiles
			if err := d.call(ctx, http.MethodGet, in("profiles")+"?"+query, nil, &page); err != nil {
				return 0, "", err
			}
			shown := page.Profiles[:min(limit, len(page.Profiles))]
			for _, p := range shown {
				if err := d.print(p, func(io.Writer) {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", p.ID, registryIn(p.Registry), yesNo(!p.Disabled), p.KeyMode, yesNo(p.Lists), len(p.Bootstrap), p.Revision)
				}); err != nil {
					return 0, "", err
				}
			}
			return len(shown), page.Next, nil
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// registryIn is the R of projects/P/locations/L/registries/R.
func registryIn(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

type profilesDescribe struct {
	profileOf `embed:""`
}

// Run shows it.
func (c *profilesDescribe) Run(ctx context.Context, out io.Writer) error {
	return c.do(ctx, out, http.MethodGet, in("profiles", c.Profile))
}

// do asks for what answers with the profile, and shows that.
func (c *operatorsAPI) do(ctx context.Context, out io.Writer, method, path string) error {
	return c.provisioning(ctx, out, func(ctx context.Context, d *desk) error {
		var p office.Profile
		if err := d.call(ctx, method, path, nil, &p); err != nil {
			return err
		}
		return d.print(&p, func(out io.Writer) { describeProfile(out, &p) })
	})
}

type profilesEnable struct {
	profileOf `embed:""`
}

// Run enables it.
func (c *profilesEnable) Run(ctx context.Context, out io.Writer) error {
	return c.do(ctx, out, http.MethodPost, in("profiles", c.Profile)+":enable")
}

type profilesDisable struct {
	profileOf `embed:""`
}

// Run disables it, at once.
func (c *profilesDisable) Run(ctx context.Context, out io.Writer) error {
	return c.do(ctx, out, http.MethodPost, in("profiles", c.Profile)+":disable")
}

type profilesDelete struct {
	profileOf `embed:""`
	Yes       bool `help:"Do not ask."`
}

// Run deletes it; the gateway refuses while there are claims.
func (c *profilesDelete) Run(ctx context.Context, out io.Writer) error {
	if err := confirm("Delete the profile "+shown(c.Profile)+", with its lists?", c.Yes); err != nil {
		return err
	}
	return c.provisioning(ctx, out, func(ctx context.Context, d *desk) error {
		return d.call(ctx, http.MethodDelete, in("profiles", c.Profile), nil, &struct{}{})
	})
}

func describeProfile(out io.Writer, p *office.Profile) {
	line(out, "profile", p.ID)
	line(out, "enabled", yesNo(!p.Disabled))
	line(out, "registry", p.Registry)
	for _, b := range p.Bootstrap {
		line(out, "bootstrap", bootstrapLine(b))
	}
	line(out, "keys", map[provision.KeyMode]string{provision.KeyOnDevice: "made on the device", provision.KeyOnServer: "made here", provision.KeyOnEither: "made on the device, or here"}[p.KeyMode])
	line(out, "lists", yesNo(p.Lists))
	line(out, "claim secrets", yesNo(p.Secrets))
	line(out, "approval", yesNo(p.Approval))
	if p.Webhook != nil {
		line(out, "webhook", fmt.Sprintf("%s, %s at the most", p.Webhook.URL, time.Duration(p.Webhook.Timeout)))
	}
	line(out, "device id", p.DeviceID)
	line(out, "reprovision", string(p.Again))
	line(out, "devices", most(p.MaxDevices, "no cap"))
	line(out, "rates", fmt.Sprintf("certificate %s, address %s, prefix %s a minute", most(p.Rates.Certificate, "6000"), most(p.Rates.Address, "600"), most(p.Rates.Prefix, "600")))
	line(out, "lifetime", time.Duration(p.Lifetime).String())
	for key, value := range p.Metadata {
		line(out, "  "+key, value)
	}
	line(out, "revision", fmt.Sprintf("%d, %s", p.Revision, whenever(p.Updated)))
}

func bootstrapLine(b provision.Bootstrap) string {
	text := b.SHA256
	if b.Authority != "" {
		text += " and what it has issued"
	}
	if b.Name != "" {
		text += ", " + b.Name
	}
	if !b.NotAfter.IsZero() {
		text += ", until " + whenever(b.NotAfter)
	}
	if b.Revoked {
		text += ", REVOKED"
	}
	return text
}

// most is a number that is 0 when it is none's own.
func most(n int, otherwise string) string {
	if n == 0 {
		return otherwise
	}
	return fmt.Sprintf("%d at the most", n)
}
