package registry

import (
	"context"
	"database/sql"
	"sync"
)

// prepared keeps every query that it runs compiled: SQLite takes longer to understand
// how a device is found than to find it. There are as many as this package has texts,
// and they are closed with the database.
type prepared struct {
	*sql.DB
	known sync.Map // text → *sql.Stmt
}

func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.known.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	fresh, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, before := p.known.LoadOrStore(query, fresh)
	if before {
		fresh.Close() //nolint:sqlclosecheck // the other one stays
	}
	return s.(*sql.Stmt), nil
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, query) //nolint:sqlclosecheck // it stays
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.stmt(ctx, query) //nolint:sqlclosecheck // it stays
	if err != nil {
		return p.DB.QueryRowContext(ctx, query, args...) // and fails with the same words
	}
	return s.QueryRowContext(ctx, args...)
}
