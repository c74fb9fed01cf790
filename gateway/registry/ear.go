package registry

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"iotbridge/gateway"
)

const (
	channel   = "iotbridge_registry"
	pollEvery = 3 * time.Second
	// A transaction lives 15 s at most. A number that no row has after this time is
	// one that was undone.
	undone    = time.Minute
	maxGap    = 1000
	readAtOne = 200
)

// ear reads what gateways tell each other, on a connection of its own: at once when
// a notification comes, every 3 s without one.
//
// Rows are numbered when they are written and seen when they are committed, which
// may be in another order. So the ear remembers the numbers that it has not seen and
// asks for them again.
type ear struct {
	bus     *sharedBus
	config  *pgx.ConnConfig
	last    int64               // the highest number seen
	missing map[int64]time.Time // the numbers below it that were not, and since when
}

// begin goes back by as long as a transaction may take: what comes twice does no harm.
func (e *ear) begin(ctx context.Context) (err error) {
	e.last, err = e.bus.store.read().one(ctx, `SELECT coalesce(
		(SELECT min(id) - 1 FROM changes WHERE at > now() - interval '1 minute'), (SELECT max(id) FROM changes), 0)`)
	return err
}

func (e *ear) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := e.listen(ctx); ctx.Err() == nil {
			e.bus.store.log.Warn("registry: other gateways are not heard", zap.Error(e.bus.store.engine.explain(err)))
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

// listen reads until the connection fails. A new connection may have missed what was
// trimmed meanwhile.
func (e *ear) listen(ctx context.Context) error {
	c, err := pgx.ConnectConfig(ctx, e.config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		c.Close(ctx)
	}()
	if _, err := c.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	e.bus.tell(gateway.Change{Kind: gateway.Resync})
	for {
		if err := e.read(ctx, c); err != nil {
			return err
		}
		waiting, done := context.WithTimeout(ctx, pollEvery)
		_, err := c.WaitForNotification(waiting)
		done()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

const readChanges = `SELECT ch.id, ch.kind, ch.device, ch.project, ch.location, ch.registry, ch.instance, ch.epoch, ch.command, ch.verdict,
	c.id IS NOT NULL, coalesce(c.sub_folder, ''), c.data
	FROM changes ch LEFT JOIN commands c ON c.id = ch.command AND ch.run = $3
	WHERE ch.id > $1 OR ch.id = ANY($2) ORDER BY ch.id LIMIT $4`

// read takes all that is new. A connection that has died without a word is noticed
// here.
func (e *ear) read(ctx context.Context, c *pgx.Conn) error {
	ctx, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	for {
		rows, err := c.Query(ctx, readChanges, e.last, e.asked(), e.bus.self, readAtOne)
		if err != nil {
			return err
		}
		n := 0
		for ; rows.Next(); n++ {
			var id int64
			var heard notice
			var fetched bool
			var command gateway.Command
			if err := rows.Scan(&id, &heard.Kind, &heard.Device, &heard.Registry.Project, &heard.Registry.Location, &heard.Registry.Registry,
				&heard.Instance, &heard.Epoch, &heard.command, &heard.verdict, &fetched, &command.SubFolder, &command.Data); err != nil {
				rows.Close()
				return err
			}
			if fetched {
				command.ID, command.Device = heard.command, heard.Device
				heard.Command = &command
			}
			e.seen(id, time.Now())
			e.pass(heard)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if n < readAtOne {
			return nil
		}
	}
}

// pass tells who waits for it.
func (e *ear) pass(n notice) {
	switch {
	case n.Kind == commandAnswered:
		e.bus.answered(n.command, fromVerdict(n.verdict))
	case n.Kind == gateway.CommandSent && n.Command == nil: // for another gateway, or taken back
	default:
		if n.Kind == gateway.Claimed {
			e.bus.held.heard(n.Change)
		}
		e.bus.tell(n.Change)
	}
}

// asked is the missing numbers that may still come.
func (e *ear) asked() []int64 {
	list := make([]int64, 0, len(e.missing))
	for id, since := range e.missing {
		if time.Since(since) > undone {
			delete(e.missing, id)
			continue
		}
		list = append(list, id)
	}
	return list
}

// seen books a number. After a gap too wide to be transactions under way, rows have
// been trimmed unread.
func (e *ear) seen(id int64, now time.Time) {
	delete(e.missing, id)
	if id <= e.last {
		return
	}
	if id-e.last > maxGap {
		e.bus.tell(gateway.Change{Kind: gateway.Resync})
	} else {
		for lost := e.last + 1; lost < id; lost++ {
			e.missing[lost] = now
		}
	}
	e.last = id
}
