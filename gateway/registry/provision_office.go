package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/schema"
)

func profileName(id string) string { return "provisioning/profiles/" + id }

// Profiles returns a page of profiles by id, without secrets.
func (p *Provisioning) Profiles(ctx context.Context, page gateway.Page) ([]*provision.Profile, string, error) {
	const scope = "provision_profiles"
	after, size, err := p.s.pages.open(scope, page)
	if err != nil {
		return nil, "", err
	}
	var list []*provision.Profile
	more := false
	err = p.s.read().each(ctx, func(rows *sql.Rows) (bool, error) {
		if more = len(list) == size; more {
			return true, nil
		}
		r, err := scanProfile(rows)
		list = append(list, withoutSecret(&r.Profile))
		return false, err
	}, profileColumns+`id > $1 AND id >= 'A' ORDER BY id LIMIT $2`, after, size+1)
	if err != nil || !more {
		return list, "", p.s.engine.explain(err)
	}
	return list, p.s.pages.sign(scope, list[len(list)-1].ID), nil
}

func withoutSecret(p *provision.Profile) *provision.Profile {
	if p.Webhook != nil {
		hook := *p.Webhook
		hook.Secret, p.Webhook = "", &hook
	}
	return p
}

// PutProfile makes or changes a profile.
func (p *Provisioning) PutProfile(ctx context.Context, actor string, wanted *provision.Profile) (kept *provision.Profile, err error) {
	if !schema.ValidID(wanted.ID) {
		return nil, invalid("id", "want a letter and 2 to 254 of A-Z a-z 0-9 - . _ ~ %%, not beginning with goog")
	}
	bare := *wanted
	bare.Revision, bare.Updated = 0, time.Time{} // they have columns
	body, err := json.Marshal(bare)
	if err != nil {
		return nil, invalid("profile", "%v", err)
	}
	if err := checkSize("profile", body, maxProfile); err != nil {
		return nil, err
	}
	err = p.s.write(ctx, func(t *tx) error {
		if err := p.s.engine.hold(ctx, t.conn, lockProfile(wanted.ID), false); err != nil {
			return err
		}
		if _, err := t.registryID(ctx, wanted.Registry, toHold); errors.Is(err, gateway.ErrNotFound) {
			return invalid("registry", "%s is not there: create it first", wanted.Registry)
		} else if err != nil {
			return err
		}
		action := "update_profile"
		if wanted.Revision == 0 {
			action = "create_profile"
			n, err := t.exec(ctx, `INSERT INTO provision_profiles (id, revision, body, secret, devices, updated) VALUES ($1, 1, $2, $3, 0, $4) ON CONFLICT (id) DO NOTHING`,
				wanted.ID, string(body), secretOf(wanted, nil), micros(time.Now()))
			if err == nil && n == 0 {
				err = fmt.Errorf("profile %s: %w", wanted.ID, gateway.ErrExists)
			}
			if err != nil {
				return err
			}
		} else if err := t.changeProfile(ctx, wanted, string(body)); err != nil {
			return err
		}
		r, err := t.profile(ctx, wanted.ID)
		if err != nil {
			return err
		}
		kept = withoutSecret(&r.Profile)
		return t.audit(ctx, actor, action, profileName(wanted.ID), fmt.Sprintf("revision %d", kept.Revision))
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

func (t *tx) changeProfile(ctx context.Context, wanted *provision.Profile, body string) error {
	before, err := t.profile(ctx, wanted.ID)
	if err != nil {
		return err
	}
	if before.Revision != wanted.Revision {
		return fmt.Errorf("profile %s: revision %d: %w, to %d", wanted.ID, wanted.Revision, gateway.ErrConflict, before.Revision)
	}
	_, err = t.exec(ctx, `UPDATE provision_profiles SET revision = revision + 1, body = $2, secret = $3, updated = $4 WHERE number = $1`,
		before.number, body, secretOf(wanted, before), micros(time.Now()))
	return err
}

// secretOf is the webhook's secret to keep: none without a webhook, and the one before
// when a new one is not given.
func secretOf(wanted *provision.Profile, before *profileRow) string {
	switch {
	case wanted.Webhook == nil:
		return ""
	case wanted.Webhook.Secret == "" && before != nil && before.Webhook != nil:
		return before.Webhook.Secret
	}
	return wanted.Webhook.Secret
}

// DeleteProfile takes the profile's name away, and then its lists, which may be long
// and are nobody's meanwhile.
func (p *Provisioning) DeleteProfile(ctx context.Context, actor, id string) error {
	err := p.s.write(ctx, func(t *tx) error {
		if err := p.s.engine.hold(ctx, t.conn, lockProfile(id), false); err != nil {
			return err
		}
		r, err := t.profile(ctx, id)
		if err != nil {
			return err
		}
		if _, err := t.one(ctx, `SELECT 1 FROM provision_claims WHERE profile = $1 AND state <> '' LIMIT 1`, r.number); err == nil {
			return fmt.Errorf("profile %s has claims, reset them or disable it: %w", id, gateway.ErrInUse)
		} else if !errors.Is(err, gateway.ErrNotFound) {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM provision_claims WHERE profile = $1`, r.number); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE provision_profiles SET id = $2, body = '{}', secret = '' WHERE number = $1`, r.number, fmt.Sprint("-", r.number)); err != nil {
			return err
		}
		return t.audit(ctx, actor, "delete_profile", profileName(id), "")
	})
	if err != nil {
		return err
	}
	if err := p.sweep(ctx); err != nil {
		p.s.log.Warn("registry: lists of a profile that was deleted stay until the next is", zap.Error(err))
	}
	return nil
}

// sweep deletes what is left of profiles whose names were taken away.
func (p *Provisioning) sweep(ctx context.Context) error {
	for {
		number, err := p.s.read().one(ctx, `SELECT number FROM provision_profiles WHERE id < 'A' LIMIT 1`)
		if errors.Is(err, gateway.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for n := int64(batch); n == batch; {
			if err := p.s.write(ctx, func(t *tx) (err error) {
				n, err = t.exec(ctx, `DELETE FROM provision_entries WHERE profile = $1 AND (list, entry) IN (
					SELECT list, entry FROM provision_entries WHERE profile = $1 LIMIT $2)`, number, batch)
				return err
			}); err != nil {
				return err
			}
		}
		if err := p.s.write(ctx, func(t *tx) error {
			_, err := t.exec(ctx, `DELETE FROM provision_profiles WHERE number = $1`, number)
			return err
		}); err != nil {
			return err
		}
	}
}

// Claims returns a page of a profile's claims by serial, of one state or, with "", all.
func (p *Provisioning) Claims(ctx context.Context, profile string, state provision.ClaimState, page gateway.Page) ([]*provision.Claim, string, error) {
	if state != "" && !knownState(state) {
		return nil, "", invalid("state", "%q is none", state)
	}
	scope := encode([]string{"provision_claims", profile, string(state)})
	after, size, err := p.s.pages.open(scope, page)
	if err != nil {
		return nil, "", err
	}
	r, err := p.s.read().profile(ctx, profile)
	if err != nil {
		return nil, "", p.s.engine.explain(err)
	}
	where, args := `c.state <> ''`, []any{r.number, after, size + 1}
	if state != "" {
		where, args = `c.state = $4`, append(args, string(state))
	}
	var list []*provision.Claim
	more := false
	err = p.s.read().each(ctx, func(rows *sql.Rows) (bool, error) {
		if more = len(list) == size; more {
			return true, nil
		}
		c, err := scanClaim(rows)
		if err != nil {
			return false, err
		}
		list = append(list, &c.Claim)
		return false, nil
	}, claimColumns+`c.profile = $1 AND c.serial > $2 AND `+where+` ORDER BY c.serial LIMIT $3`, args...)
	if err != nil || !more {
		return list, "", p.s.engine.explain(err)
	}
	return list, p.s.pages.sign(scope, list[len(list)-1].Unit.Serial), nil
}

// move changes a claim that an operator looks at. change says whether there is
// anything to write.
func (p *Provisioning) move(ctx context.Context, actor, action, profile, serial string, change func(*tx, *claimRow) (detail string, do bool, err error)) (*provision.Claim, error) {
	var moved *claimRow
	err := p.s.write(ctx, func(t *tx) (err error) {
		if err := p.holdUnit(ctx, t, profile, serial); err != nil {
			return err
		}
		if moved, err = t.claimOfUnit(ctx, profile, serial); err != nil {
			return err
		}
		before := moved.State
		detail, do, err := change(t, moved)
		if err != nil || !do {
			return err
		}
		moved.Updated = fromMicros(micros(time.Now()))
		if _, err := t.writeClaim(ctx, moved, before); err != nil {
			return err
		}
		return t.audit(ctx, actor, action, claimName(profile, serial), detail)
	})
	if err != nil {
		return nil, err
	}
	return &moved.Claim, nil
}

// decideOn moves a claim that waits for an operator, or that one decided on before.
func decideOn(c *claimRow, to provision.ClaimState, why string) (string, bool, error) {
	if !slices.Contains([]provision.ClaimState{provision.Pending, provision.Approved, provision.Denied}, c.State) {
		return "", false, fmt.Errorf("%s is %s, block its device or reset it: %w", claimName(c.Profile, c.Unit.Serial), c.State, gateway.ErrConflict)
	}
	if c.State == to && c.Reason == why {
		return "", false, nil
	}
	c.State, c.Reason = to, why
	return why, true, nil
}

// Approve lets a unit have what it asked for, when it asks again.
func (p *Provisioning) Approve(ctx context.Context, actor, profile, serial string) (*provision.Claim, error) {
	return p.move(ctx, actor, "provision_approve", profile, serial, func(_ *tx, c *claimRow) (string, bool, error) {
		return decideOn(c, provision.Approved, "")
	})
}

// Deny refuses a unit until it is approved or reset.
func (p *Provisioning) Deny(ctx context.Context, actor, profile, serial, why string) (*provision.Claim, error) {
	return p.move(ctx, actor, "provision_deny", profile, serial, func(_ *tx, c *claimRow) (string, bool, error) {
		return decideOn(c, provision.Denied, printable(why, maxReason))
	})
}

// Reset makes a claim none, and its device's keys worth nothing.
func (p *Provisioning) Reset(ctx context.Context, actor, profile, serial string) error {
	_, err := p.move(ctx, actor, "provision_reset", profile, serial, func(t *tx, c *claimRow) (string, bool, error) {
		d, err := t.deviceNumbered(ctx, c.Number)
		if err != nil {
			return "", false, err
		}
		detail := "was " + string(c.State)
		reset := claimRow{profile: c.profile, Claim: provision.Claim{Profile: c.Profile, Unit: c.Unit, State: unclaimed, Created: c.Created}}
		if d != nil {
			if _, err := p.s.updateDevice(ctx, t, actor, d.Key, func(d *gateway.Device) error { d.Credentials = nil; return nil }); err != nil {
				return "", false, err
			}
			reset.Device, reset.Number = d.Key, d.Number
		}
		if err := t.giveBack(ctx, c.profile, c.Unit); err != nil {
			return "", false, err
		}
		*c = reset
		return detail, true, nil
	})
	return err
}
