package registry

import (
	"context"
	"time"
)

// expiringPage is how many devices are looked at in one query.
const expiringPage = 5000

// Expiring counts the devices whose last credential expires after now and by the time
// until: who has a later one, or one that never expires, has renewed in time. Blocked
// devices are not counted. It reads all devices, a page at a time.
func (s *Store) Expiring(ctx context.Context, now, until time.Time) (int64, error) {
	return s.expiring(ctx, now, until, expiringPage)
}

func (s *Store) expiring(ctx context.Context, now, until time.Time, page int) (total int64, err error) {
	for after := int64(-1); ; {
		var last, n int64
		err := s.read().row(ctx, `SELECT coalesce(max(number), -1), count(CASE WHEN NOT blocked AND credentials LIKE '%"expires"%' AND (
				SELECT max(coalesce(CAST(value->>'expires' AS BIGINT), 9223372036854775807)) FROM json_array_elements(credentials::json)
			) BETWEEN $2 AND $3 THEN 1 END)
			FROM (SELECT number, blocked, credentials FROM devices WHERE number > $1 ORDER BY number LIMIT $4) page`,
			after, micros(now)+1, micros(until), page).Scan(&last, &n)
		if err != nil {
			return 0, s.engine.explain(err)
		}
		if last < 0 {
			return total, nil
		}
		total += n
		after = last
	}
}
