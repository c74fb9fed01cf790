package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// batch is how many entries are one transaction: others write between two. window is
// how many are put in order before: those of one transaction then lie side by side,
// and a table whose entries come in no order is not written anew with each.
const batch, window = 5_000, 100_000

// lists are the columns' numbers.
var lists = map[provision.List]int{provision.Allow: 0, provision.Deny: 1}

const serialEntry, macEntry = "s", "m"

// entry is a provision.Entry as it is kept, and travels in a query's argument.
type entry struct {
	Entry  string `json:"e"`
	Secret string `json:"s"` // hexadecimal; "": none
}

func toEntry(e provision.Entry, list provision.List) (entry, error) {
	kept := entry{macEntry + e.MAC, hex.EncodeToString(e.Secret)}
	if e.MAC == "" {
		kept.Entry = serialEntry + e.Serial
	}
	switch {
	case e.MAC != "" && e.Serial != "":
		return entry{}, invalid("entry", "has a serial and a MAC: make it two entries")
	case e.MAC != "" && !canonicalMAC(e.MAC) || e.MAC == "" && !canonicalSerial(e.Serial):
		return entry{}, invalid("entry", "want a serial or a MAC, made canonical")
	case len(e.Secret) != 0 && len(e.Secret) != sha256.Size:
		return entry{}, invalid("entry", "its secret has %d bytes, want a SHA-256", len(e.Secret))
	case len(e.Secret) != 0 && list != provision.Allow:
		return entry{}, invalid("entry", "only the allow list has secrets")
	}
	return kept, nil
}

const insertEntries = `INSERT INTO provision_entries (profile, list, entry, secret)
	SELECT CAST($1 AS BIGINT), CAST($2 AS INTEGER), value->>'e', value->>'s' FROM json_array_elements($3::json) WHERE true
	ON CONFLICT (profile, list, entry) DO `

// Enlist adds entries; one that comes twice is the last.
func (p *Provisioning) Enlist(ctx context.Context, actor, profile string, list provision.List, entries iter.Seq2[provision.Entry, error]) (added int, err error) {
	return p.inBatches(ctx, actor, profile, list, entries, "enlist", func(t *tx, profile int64, some []entry) (int64, error) {
		args := []any{profile, lists[list], encode(some)}
		n, err := t.exec(ctx, insertEntries+`NOTHING`, args...)
		if err == nil && n < int64(len(some)) {
			_, err = t.exec(ctx, insertEntries+`UPDATE SET secret = excluded.secret WHERE provision_entries.secret <> excluded.secret`, args...)
		}
		return n, err
	})
}

// Delist removes entries.
func (p *Provisioning) Delist(ctx context.Context, actor, profile string, list provision.List, entries iter.Seq2[provision.Entry, error]) (removed int, err error) {
	return p.inBatches(ctx, actor, profile, list, entries, "delist", func(t *tx, profile int64, some []entry) (int64, error) {
		return t.exec(ctx, `DELETE FROM provision_entries WHERE profile = $1 AND list = $2
			AND entry IN (SELECT value->>'e' FROM json_array_elements($3::json))`, profile, lists[list], encode(some))
	})
}

// inBatches hands entries on in the list's order, which is how they are kept, each
// once; and says how many rows were written.
func (p *Provisioning) inBatches(ctx context.Context, actor, profile string, list provision.List, entries iter.Seq2[provision.Entry, error],
	action string, do func(*tx, int64, []entry) (int64, error),
) (total int, err error) {
	if _, ok := lists[list]; !ok {
		return 0, invalid("list", "%q is neither allow nor deny", list)
	}
	if _, err := p.s.read().profile(ctx, profile); err != nil {
		return 0, p.s.engine.explain(err)
	}
	var waiting []entry
	flush := func() error {
		slices.SortStableFunc(waiting, func(a, b entry) int { return cmp.Compare(a.Entry, b.Entry) })
		slices.Reverse(waiting) // of equals the last comes first, and stays
		waiting = slices.CompactFunc(waiting, func(a, b entry) bool { return a.Entry == b.Entry })
		slices.Reverse(waiting)
		for some := range slices.Chunk(waiting, batch) {
			var n int64
			if err := p.s.write(ctx, func(t *tx) error {
				if err := p.s.engine.hold(ctx, t.conn, lockProfile(profile), false); err != nil {
					return err
				}
				r, err := t.profile(ctx, profile)
				if err != nil {
					return err
				}
				if n, err = do(t, r.number, some); err != nil {
					return err
				}
				return t.audit(ctx, actor, action, profileName(profile)+"/"+string(list), fmt.Sprintf("%d of %d entries", n, len(some)))
			}); err != nil {
				return err
			}
			total += int(n)
		}
		waiting = waiting[:0]
		return nil
	}
	seen := 0
	for e, err := range entries {
		if err != nil {
			rest := flush()
			return total, errors.Join(err, rest)
		}
		seen++
		kept, err := toEntry(e, list)
		if err != nil {
			rest := flush()
			return total, errors.Join(fmt.Errorf("entry %d: %w", seen, err), rest)
		}
		if waiting = append(waiting, kept); len(waiting) == window {
			if err := flush(); err != nil {
				return total, err
			}
		}
	}
	err = flush()
	return total, err
}

// Entries returns a page of a list: MACs, then serials. It shows no secrets: with a
// secret's hash a unit proves itself.
func (p *Provisioning) Entries(ctx context.Context, profile string, list provision.List, page gateway.Page) ([]provision.Entry, string, error) {
	if _, ok := lists[list]; !ok {
		return nil, "", invalid("list", "%q is neither allow nor deny", list)
	}
	scope := encode([]string{"provision_entries", profile, string(list)})
	after, size, err := p.s.pages.open(scope, page)
	if err != nil {
		return nil, "", err
	}
	r, err := p.s.read().profile(ctx, profile)
	if err != nil {
		return nil, "", p.s.engine.explain(err)
	}
	var found []provision.Entry
	more, last := false, ""
	err = p.s.read().each(ctx, func(rows *sql.Rows) (bool, error) {
		if more = len(found) == size; more {
			return true, nil
		}
		var e provision.Entry
		if err := rows.Scan(&last, &e.Secured); err != nil {
			return false, err
		}
		if e.Serial = last[1:]; last[:1] == macEntry {
			e.Serial, e.MAC = "", last[1:]
		}
		found = append(found, e)
		return false, nil
	}, `SELECT entry, secret <> '' FROM provision_entries WHERE profile = $1 AND list = $2 AND entry > $3 ORDER BY entry LIMIT $4`,
		r.number, lists[list], after, size+1)
	if err != nil || !more {
		return found, "", p.s.engine.explain(err)
	}
	return found, p.s.pages.sign(scope, last), nil
}

// taken is the list of the MACs that have let a unit in, each with the serial in its
// secret's place: an entry of the allow list is one unit's.
const taken = 2

// listed says what the lists hold of a unit's serial and MACs. Where the serial is
// allowed, its secret alone counts; else by is the MAC that lets the unit in: one that
// has let in no other.
func (c conn) listed(ctx context.Context, profile int64, u provision.Unit) (l provision.Listing, by string, err error) {
	names := []string{serialEntry + u.Serial}
	for _, mac := range u.MACs {
		names = append(names, macEntry+mac)
	}
	allowed, units := map[string]string{}, map[string]string{}
	err = c.each(ctx, func(rows *sql.Rows) (bool, error) {
		var list int
		var name, text string
		if err := rows.Scan(&list, &name, &text); err != nil {
			return false, err
		}
		switch list {
		case lists[provision.Allow]:
			allowed[name] = text
		case lists[provision.Deny]:
			l.Denied = true
		case taken:
			units[name] = text
		}
		return false, nil
	}, `SELECT list, entry, secret FROM provision_entries WHERE profile = $1 AND list IN (0, 1, 2)
		AND entry IN (SELECT value FROM json_array_elements_text($2::json))`, profile, encode(names))
	if err != nil {
		return l, "", err
	}
	for i, name := range names {
		_, ok := allowed[name]
		if !ok || units[name] != "" && units[name] != u.Serial {
			continue
		}
		if l.Allowed = true; i == 0 {
			by = name
			break
		}
		if by == "" || units[name] != "" { // what it has is its own for ever
			by = name
		}
	}
	if text := allowed[by]; text != "" {
		if l.Secret, err = hex.DecodeString(text); err != nil {
			return l, "", fmt.Errorf("the secret of an entry is damaged: restore a backup: %w", err)
		}
	}
	if by == names[0] {
		by = ""
	}
	return l, by, nil
}

// errTaken: the MAC was nobody's when decide was asked, and is another unit's now.
var errTaken = errors.New("the MAC let in another unit meanwhile")

// takeEntry makes a MAC's entry the unit's.
func (t *tx) takeEntry(ctx context.Context, profile int64, entry, serial string) error {
	n, err := t.exec(ctx, `INSERT INTO provision_entries (profile, list, entry, secret) VALUES ($1, $2, $3, $4)
		ON CONFLICT (profile, list, entry) DO UPDATE SET secret = excluded.secret WHERE provision_entries.secret = excluded.secret`, profile, taken, entry, serial)
	if err == nil && n == 0 {
		err = errTaken
	}
	return err
}

// giveBack makes the entries that have let a unit in nobody's.
func (t *tx) giveBack(ctx context.Context, profile int64, u provision.Unit) error {
	var names []string
	for _, mac := range u.MACs {
		names = append(names, macEntry+mac)
	}
	if names == nil {
		return nil
	}
	_, err := t.exec(ctx, `DELETE FROM provision_entries WHERE profile = $1 AND list = $2 AND secret = $3
		AND entry IN (SELECT value FROM json_array_elements_text($4::json))`, profile, taken, u.Serial, encode(names))
	return err
}
