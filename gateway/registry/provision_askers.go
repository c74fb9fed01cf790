package registry

import (
	"context"
	"database/sql"

	"iotbridge/gateway/provision"
)

// maxCounted is how many claims Askers reads, of the index alone: at most so many are
// counted.
const maxCounted = 1_000_000

// Askers counts a profile's claims by their states and by the bootstrap certificate
// that asked: one of those named, by SHA-256, or "" for all others together.
func (p *Provisioning) Askers(ctx context.Context, profile string, named []string) ([]provision.Asker, error) {
	r, err := p.s.read().profile(ctx, profile)
	if err != nil {
		return nil, p.s.engine.explain(err)
	}
	var list []provision.Asker
	err = p.s.read().each(ctx, func(rows *sql.Rows) (bool, error) {
		var a provision.Asker
		err := rows.Scan(&a.Bootstrap, &a.State, &a.Claims)
		list = append(list, a)
		return false, err
	}, `SELECT asker, state, COUNT(*) FROM (
			SELECT CASE WHEN bootstrap IN (SELECT value FROM json_array_elements_text($2::json)) THEN bootstrap ELSE '' END AS asker, state
			FROM provision_claims WHERE profile = $1 AND state <> '' LIMIT $3) AS counted
		GROUP BY asker, state ORDER BY asker, state`, r.number, encode(append([]string{}, named...)), maxCounted)
	return list, p.s.engine.explain(err)
}
