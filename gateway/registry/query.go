package registry

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"iotbridge/gateway"
)

// conn runs queries, alone or in a transaction.
type conn struct {
	q     querier
	spell func(string) string
}

type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *Store) read() conn { return conn{s.reads, s.engine.spell} }

// exec returns how many rows were written.
func (c conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := c.q.ExecContext(ctx, c.spell(query), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (c conn) row(ctx context.Context, query string, args ...any) *sql.Row {
	return c.q.QueryRowContext(ctx, c.spell(query), args...)
}

// one reads one number; ErrNotFound when there is no row.
func (c conn) one(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = c.row(ctx, query, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = gateway.ErrNotFound
	}
	return n, err
}

// each calls row for every row, until it says that it has enough.
func (c conn) each(ctx context.Context, row func(*sql.Rows) (enough bool, err error), query string, args ...any) error {
	rows, err := c.q.QueryContext(ctx, c.spell(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if enough, err := row(rows); err != nil || enough {
			return err
		}
	}
	return rows.Err()
}

// tx is a transaction, and what the others are told when it is committed.
type tx struct {
	conn
	notices []notice
}

// notice is a Change, or what only buses tell each other.
type notice struct {
	gateway.Change
	run     int64  // whose command it is
	command string // its id
	verdict string // of commandAnswered
}

const commandAnswered gateway.ChangeKind = 100

func (t *tx) announce(c gateway.Change) { t.notices = append(t.notices, notice{Change: c}) }

const (
	attempts = 5
	longest  = 15 * time.Second // a transaction, with its wait for others
)

// write runs do in a transaction; again, from the beginning, if it met another one or
// lost its connection before the commit. When it returns nil the change is on the disk;
// after an error it is not, unless the connection broke in the commit itself.
func (s *Store) write(ctx context.Context, do func(*tx) error) error {
	for attempt := 1; ; attempt++ {
		committing, err := s.transact(ctx, do)
		if err == nil || attempt == attempts || !s.engine.again(err, committing) {
			return s.engine.explain(err)
		}
	}
}

func (s *Store) transact(ctx context.Context, do func(*tx) error) (committing bool, err error) {
	ctx, done := context.WithTimeout(ctx, longest)
	defer done()
	if s.turn != nil {
		if err := s.turn.Acquire(ctx, 1); err != nil {
			return false, err
		}
		defer s.turn.Release(1)
	}
	raw, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer raw.Rollback()
	t := &tx{conn: conn{raw, s.engine.spell}}
	if err := do(t); err != nil {
		return false, err
	}
	if err := s.bus.record(ctx, t); err != nil {
		return false, err
	}
	if err := raw.Commit(); err != nil {
		return true, err
	}
	s.bus.committed(t.notices)
	return false, nil
}
