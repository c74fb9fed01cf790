package registry

import (
	"context"
	"net/netip"

	"iotbridge/gateway"
)

// keptSessions are of one device.
const keptSessions = 20

// session is a gateway.Connection as it travels in one query's argument.
type session struct {
	Device   uint64 `json:"device"`
	Began    int64  `json:"began"`
	Ended    int64  `json:"ended"`
	Reason   string `json:"reason"`
	Instance string `json:"instance"`
	Address  string `json:"address"`
}

const (
	noteSessions = `INSERT INTO sessions (device, began, ended, reason, instance, address)
		SELECT CAST(value->>'device' AS BIGINT), CAST(value->>'began' AS BIGINT), CAST(value->>'ended' AS BIGINT), value->>'reason', value->>'instance', value->>'address'
		FROM json_array_elements($1::json) WHERE CAST(value->>'device' AS BIGINT) IN (SELECT number FROM devices)
		ON CONFLICT (device, began) DO UPDATE SET ended = excluded.ended, reason = excluded.reason`
	trimSessions = `DELETE FROM sessions WHERE device IN (SELECT CAST(value->>'device' AS BIGINT) FROM json_array_elements($1::json))
		AND (SELECT count(*) FROM sessions newer WHERE newer.device = sessions.device AND newer.began > sessions.began) >= $2`
)

// Book writes a batch of connections down. The latest word on a connection stays, and
// of each device its latest connections; devices that are gone are passed over.
func (s *Store) Book(ctx context.Context, connections []gateway.Connection) error {
	type key struct {
		device uint64
		began  int64
	}
	at := map[key]int{}
	var list []session
	for _, c := range connections {
		one := session{c.Device, micros(c.Began), micros(c.Ended), c.Reason, printable(c.Instance, 255), ""}
		if c.Address.IsValid() {
			one.Address = c.Address.String()
		}
		k := key{one.Device, one.Began}
		if i, ok := at[k]; ok {
			list[i] = one
			continue
		}
		at[k] = len(list)
		list = append(list, one)
	}
	if len(list) == 0 {
		return nil
	}
	text := encode(list)
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(ctx, noteSessions, text); err != nil {
			return err
		}
		_, err := t.exec(ctx, trimSessions, text, keptSessions)
		return err
	})
}

// parseAddress is the zero one of what is none.
func parseAddress(text string) netip.Addr {
	at, _ := netip.ParseAddr(text)
	return at
}
