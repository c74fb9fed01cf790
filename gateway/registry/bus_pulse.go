package registry

import (
	"context"
	"database/sql"
	"encoding/json"

	"iotbridge/gateway"
)

func (b *sharedBus) holding(func(any) string) string {
	return `SELECT c.device FROM claims c JOIN runs r ON r.id = c.run WHERE r.` + alive
}

func (b *sharedBus) pulse(ctx context.Context, p gateway.Pulse) error {
	_, err := b.store.read().exec(ctx, `INSERT INTO pulses (run, body) VALUES ($1, $2) ON CONFLICT (run) DO UPDATE SET body = excluded.body`, b.self, encode(p))
	return err
}

func (b *sharedBus) pulses(ctx context.Context) (list []gateway.Pulse, err error) {
	err = b.store.read().each(ctx, func(r *sql.Rows) (bool, error) {
		var body string
		var p gateway.Pulse
		if err := r.Scan(&body); err != nil {
			return false, err
		}
		if err := json.Unmarshal([]byte(body), &p); err == nil { // of a version that writes it otherwise
			list = append(list, p)
		}
		return false, nil
	}, `SELECT p.body FROM pulses p JOIN runs r ON r.id = p.run WHERE r.`+alive)
	return list, err
}
