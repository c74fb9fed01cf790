package registry

import (
	"context"
	"database/sql"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"iotbridge/gateway"
)

// audit writes in the transaction what it does. Only appending is possible: the
// tables refuse the rest.
func (t *tx) audit(ctx context.Context, actor, action, object, detail string) error {
	_, err := t.exec(ctx, `INSERT INTO audit (at, actor, action, object, detail) VALUES ($1, $2, $3, $4, $5)`,
		micros(time.Now()), printable(actor, 256), action, printable(object, 1024), printable(detail, 256))
	return err
}

// printable is s without what breaks a line or turns it round, cut at a character's
// boundary.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s[:min(len(s), most)])
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// Record writes what changes nothing else.
func (s *Store) Record(ctx context.Context, e gateway.AuditEntry) error {
	return s.write(ctx, func(t *tx) error { return t.audit(ctx, e.Actor, e.Action, e.Object, e.Detail) })
}

// Audit returns what operators did, newest first.
func (s *Store) Audit(ctx context.Context, page gateway.Page) ([]gateway.AuditEntry, string, error) {
	after, size, err := s.pages.open("audit", page)
	if err != nil {
		return nil, "", err
	}
	before := int64(math.MaxInt64)
	if after != "" {
		if before, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, "", badToken
		}
	}
	var list []gateway.AuditEntry
	more := false
	err = s.read().each(ctx, func(r *sql.Rows) (bool, error) {
		if more = len(list) == size; more {
			return true, nil
		}
		var e gateway.AuditEntry
		err := r.Scan(&before, moment{&e.At}, &e.Actor, &e.Action, &e.Object, &e.Detail)
		list = append(list, e)
		return false, err
	}, `SELECT id, at, actor, action, object, detail FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, size+1)
	if err != nil || !more {
		return list, "", s.engine.explain(err)
	}
	return list, s.pages.sign("audit", strconv.FormatInt(before, 10)), nil
}
